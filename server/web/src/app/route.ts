import { useLayoutEffect, useState } from "preact/hooks";

/**
 * A state of the page, as its address has it after #: what stands there is sent to no
 * server and stands in no log.
 */
export interface Route {
  /** The parts of the path, decoded: `#/cases/alder/2023-0117` has three. */
  path: string[];
  query: URLSearchParams;
}

/** Reads what stands after # in an address. */
export function parseRoute(hash: string): Route {
  const text = hash.replace(/^#/, "");
  const mark = text.indexOf("?");
  const path = (mark < 0 ? text : text.slice(0, mark)).split("/").filter((p) => p !== "");
  return { path: path.map(decoded), query: new URLSearchParams(mark < 0 ? "" : text.slice(mark + 1)) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of a state, for links: `href(["cases", tenant, id], { tab: "links" })`. */
export function href(path: readonly string[], query: Record<string, string | undefined> = {}): string {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== "") q.set(name, value);
  const text = q.toString();
  return "#/" + path.map(encodeURIComponent).join("/") + (text ? "?" + text : "");
}

/** Goes to a state; `replace` leaves no step behind for the back button. */
export function go(to: string, replace = false): void {
  if (replace) {
    history.replaceState(null, "", to);
    dispatchEvent(new HashChangeEvent("hashchange"));
  } else {
    location.hash = to;
  }
}

/** Changes parts of the query of the state that is shown, without a step behind. */
export function keep(query: Record<string, string | undefined>): void {
  const r = parseRoute(location.hash);
  const all: Record<string, string | undefined> = Object.fromEntries(r.query);
  go(href(r.path, { ...all, ...query }), true);
}

/** The state that is shown. */
export function useRoute(): Route {
  const [route, set] = useState(() => parseRoute(location.hash));
  useLayoutEffect(() => {
    const read = () => set(parseRoute(location.hash));
    addEventListener("hashchange", read);
    return () => removeEventListener("hashchange", read);
  }, []);
  return route;
}

/** The state of a case `tenant/id`. */
export function caseHref(ref: string): string {
  const [tenant = "", id = ""] = splitRef(ref);
  return href(["cases", tenant, id]);
}

/** The state of the link of two cases, in the order in which the API names them. */
export function linkHref(a: string, b: string): string {
  return href(["links", ...splitRef(a), ...splitRef(b)]);
}

/** Tenant and id of `tenant/id`; ids hold no slash. */
export function splitRef(ref: string): [string, string] {
  const at = ref.indexOf("/");
  return at < 0 ? [ref, ""] : [ref.slice(0, at), ref.slice(at + 1)];
}
