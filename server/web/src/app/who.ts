import { useEffect, useState } from "preact/hooks";
import { type Loaded, useLoad } from "./load.ts";
import type { Schemas } from "./service.ts";
import { Problem, service } from "./service.ts";
import { session } from "./session.ts";

/** The roles of keys. */
export type Role = Schemas["Role"];

/** Who asks, as the service sees them. */
export interface Who {
  /** Undefined in a service without keys: everything is for everybody. */
  role: Role | undefined;
  /** The tenants of the key; empty with `allTenants`. */
  tenants: readonly string[];
  allTenants: boolean;
  /** The public part of the key. */
  keyId: string;
}

const everybody: Who = { role: undefined, tenants: [], allTenants: true, keyId: "" };

/** Asks who asks, anew with every key. */
export function useWho(): Loaded<Who> {
  const [round, next] = useState(0);
  useEffect(() => session.listen(() => next((n) => n + 1)), []);
  return useLoad(who, [round]);
}

async function who(signal: AbortSignal): Promise<Who> {
  const { response, error } = await service.api.GET("/v1/feeds", { signal });
  if (!response.ok) throw new Problem(response.status, error);
  return everybody;
}
