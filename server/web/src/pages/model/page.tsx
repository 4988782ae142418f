import type { Route } from "../../app/route.ts";
import { useWho } from "../../app/who.ts";
import "../../ui/parts.css";
import { ModelList } from "./list.tsx";
import { ModelPage } from "./version.tsx";

/** The versions of the model, or one of them. Who may change it is an admin. */
export default function Page({ route }: { route: Route }) {
  const who = useWho();
  const admin = who.data !== undefined && (who.data.role === undefined || who.data.role === "ROLE_ADMIN");
  const version = route.path[1];
  return version === undefined ? <ModelList admin={admin} route={route} /> : <ModelPage version={Number(version)} admin={admin} route={route} key={version} />;
}
