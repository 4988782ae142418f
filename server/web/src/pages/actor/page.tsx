import type { Route } from "../../app/route.ts";
import "../../ui/parts.css";
import "./actor.css";
import { ActorList } from "./list.tsx";
import { ActorPage } from "./detail.tsx";

/** Actors, or one of them. */
export default function Page({ route }: { route: Route }) {
  const id = route.path[1];
  return id === undefined ? <ActorList /> : <ActorPage id={id} route={route} key={id} />;
}
