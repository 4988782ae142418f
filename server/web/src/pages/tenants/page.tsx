import type { Route } from "../../app/route.ts";
import "../../ui/parts.css";
import { TenantList } from "./list.tsx";
import { TenantPage } from "./detail.tsx";

/** The records of tenants, or of one. */
export default function Page({ route }: { route: Route }) {
  const id = route.path[1];
  return id === undefined ? <TenantList route={route} /> : <TenantPage id={id} key={id} />;
}
