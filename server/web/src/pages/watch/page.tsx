import type { Route } from "../../app/route.ts";

export default function Page({ route }: { route: Route }) {
  return <h1>watch {route.path.join("/")}</h1>;
}
