import type { Schemas } from "../../app/service.ts";

type Event = Schemas["LinkEvent"];

/** The most changes that are kept; older ones go. */
export const most = 2_000;

/** Changes of links, the newest first. */
export interface Changes {
  list: readonly Event[];
  /** The last change of each pair, to know a repeat. */
  last: ReadonlyMap<string, string>;
  /** Older ones are not kept any more. */
  cut: boolean;
}

/** No changes yet. */
export const none: Changes = { list: [], last: new Map(), cut: false };

/**
 * Adds changes in the order in which they came. The service tells each at least once; a
 * repeat has the id of the last change of its pair.
 */
export function add(c: Changes, events: readonly Event[]): Changes {
  const last = new Map(c.last);
  const fresh: Event[] = [];
  for (const e of events) {
    const pair = e.link?.ref ?? "";
    const id = e.eventId ?? "";
    if (id !== "" && last.get(pair) === id) continue;
    // Set anew, so that the map is in the order of use.
    last.delete(pair);
    last.set(pair, id);
    fresh.push(e);
  }
  if (fresh.length === 0) return c;
  // Pairs are forgotten with the oldest changes: the map is bounded as the list is.
  for (const pair of last.keys()) {
    if (last.size <= 2 * most) break;
    last.delete(pair);
  }
  const list = [...fresh.reverse(), ...c.list];
  return { list: list.slice(0, most), last, cut: c.cut || list.length > most };
}

const changes: Record<Schemas["LinkChange"], string> = {
  LINK_CHANGE_UNSPECIFIED: "changed",
  LINK_CHANGE_NEW: "new",
  LINK_CHANGE_RAISED: "raised",
  LINK_CHANGE_LOWERED: "lowered",
  LINK_CHANGE_REMOVED: "removed",
  LINK_CHANGE_REVIEWED: "reviewed",
  LINK_CHANGE_HELD: "held",
};

const causes: Record<Schemas["LinkCause"], string> = {
  LINK_CAUSE_UNSPECIFIED: "",
  LINK_CAUSE_EVIDENCE: "a case or what is known of a value changed",
  LINK_CAUSE_CORPUS: "there are more or fewer cases",
  LINK_CAUSE_MODEL: "another model",
  LINK_CAUSE_FEEDS: "other feeds",
  LINK_CAUSE_REVIEW: "a person reviewed it",
  LINK_CAUSE_ALARM: "a case is linked suspiciously widely",
  LINK_CAUSE_ERASED: "a tenant was erased",
};

/** What a change is called; "changed" where the service is newer than the page. */
export function changeText(e: Event): string {
  return changes[e.change ?? "LINK_CHANGE_UNSPECIFIED"] ?? "changed";
}

/** Why a link changed, in words. */
export function causeText(e: Event): string {
  return causes[e.cause ?? "LINK_CAUSE_UNSPECIFIED"] ?? "";
}

/** What is said aloud of changes that have just come. */
export function announce(events: readonly Event[], tier: (t: Schemas["Tier"] | undefined) => string): string {
  const newest = events[events.length - 1];
  if (!newest) return "";
  const one = `${changeText(newest)}: ${newest.link?.a} and ${newest.link?.b}, ${tier(newest.link?.tier)}`;
  return events.length === 1 ? `Link ${one}` : `${events.length} changes of links, the newest ${one}`;
}
