import { useLayoutEffect, useState } from "preact/hooks";
import { type Loaded, useLoad } from "./load.ts";
import type { Schemas } from "./service.ts";
import { answered, service } from "./service.ts";
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
  /** May read restricted and tlp:red cases of its tenants. */
  restricted: boolean;
  /** The public part of the key. */
  keyId: string;
  /** What the key begins with, and whose it is. */
  keyPrefix: string;
  keyName: string;
  /** When the key ends; undefined where it does not. */
  expires: string | undefined;
  serviceVersion: string;
  modelVersion: number;
  /** Empty for roles that are not told of every feed. */
  feedsVersion: string;
}

/** Asks who asks, anew with every key. */
export function useWho(): Loaded<Who> {
  const [round, next] = useState(0);
  useLayoutEffect(() => session.listen(() => next((n) => n + 1)), []);
  return useLoad(who, [round]);
}

async function who(signal: AbortSignal): Promise<Who> {
  const w = await answered(service.api.GET("/v1/whoami", { signal }));
  return {
    role: w.open ? undefined : w.role,
    tenants: w.tenants ?? [],
    allTenants: w.allTenants ?? false,
    restricted: w.restricted ?? false,
    keyId: w.keyId ?? "",
    keyPrefix: w.keyPrefix ?? "",
    keyName: w.keyName ?? "",
    expires: w.expireTime,
    serviceVersion: w.serviceVersion ?? "",
    modelVersion: w.modelVersion ?? 0,
    feedsVersion: w.feedsVersion ?? "",
  };
}
