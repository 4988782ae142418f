import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { useHotkeys } from "../../app/hotkeys.ts";
import { caseHref, go, keep, linkHref, type Route } from "../../app/route.ts";
import { type Schemas, service } from "../../app/service.ts";
import { type Column, Rows } from "../../ui/rows.tsx";
import { Nothing, ProblemBox } from "../../ui/state.tsx";
import { Likelihood, listedTiers, TierBadge, tierNames } from "../../ui/tier.tsx";
import { Time } from "../../ui/time.tsx";
import { visible } from "../../ui/value.tsx";
import { add, announce, causeText, changeText, type Changes, most, none } from "./events.ts";
import { follow, type State } from "./follow.ts";
import "./watch.css";

type Event = Schemas["LinkEvent"];

/** From when on changes are shown. */
const times: readonly (readonly [string, string])[] = [
  ["3600s", "1 hour"],
  ["86400s", "1 day"],
  ["604800s", "7 days"],
  ["2592000s", "30 days"],
];

/** How often the list takes in what has come, in milliseconds: a flood is one step. */
const step = 250;

/** The links that change, as they do. */
export default function Page({ route }: { route: Route }) {
  const tier = listedTiers.find((t) => t === route.query.get("tier")) ?? "TIER_POSSIBLE";
  const since = times.find(([s]) => s === route.query.get("since"))?.[0] ?? "86400s";
  const [paused, pause] = useState(false);
  const [round, again] = useState(0);
  const feed = useFeed(tier, since, paused, round);
  useHotkeys([{ key: "p", help: "pause or go on", run: () => pause((p) => !p) }], []);
  return (
    <div class="watch">
      <h1>New links</h1>
      <div class="bar-row">
        <label>
          From tier{" "}
          <select value={tier} onChange={(e) => keep({ tier: e.currentTarget.value })}>
            {listedTiers.map((t) => (
              <option value={t}>{tierNames[t]}</option>
            ))}
          </select>
        </label>
        <label>
          Since{" "}
          <select value={since} onChange={(e) => keep({ since: e.currentTarget.value })}>
            {times.map(([s, name]) => (
              <option value={s}>{name}</option>
            ))}
          </select>
        </label>
        <button type="button" aria-pressed={paused} onClick={() => pause(!paused)}>
          {paused ? `Go on${feed.held > 0 ? ` (${feed.held} held)` : ""}` : "Pause"}
        </button>
        <Connection state={feed.state} paused={paused} />
      </div>
      <p class="aside" role="status" aria-live="polite">
        {feed.said}
      </p>
      {feed.gap && <p class="note">Changes may be missing: {feed.gap}.</p>}
      {feed.state.is === "refused" && <ProblemBox problem={feed.state.problem} again={() => again((n) => n + 1)} />}
      {feed.changes.list.length > 0 ? (
        <Rows rows={feed.changes.list} columns={columns} id={(e) => `${e.eventId} ${e.commitTime}`} open={(e) => open(e)} label="Changes of links" />
      ) : (
        feed.state.is === "live" && (
          <Nothing>
            No link of tier {tierNames[tier]} or better changed in the last {times.find(([s]) => s === since)?.[1]}. Changes show here as they happen.
          </Nothing>
        )
      )}
      {feed.changes.cut && <p class="muted">The newest {most.toLocaleString("en")} changes are kept.</p>}
      <p class="muted">Likelihood of same actor, uncalibrated unless the explanation of a link says otherwise.</p>
    </div>
  );
}

function open(e: Event): void {
  if (e.link?.a && e.link.b) go(linkHref(e.link.a, e.link.b));
}

const columns: Column<Event>[] = [
  { name: "When", cell: (e) => <Time at={e.commitTime} />, by: (e) => e.commitTime ?? "" },
  { name: "Change", cell: (e) => <span class={`change ${changeText(e)}`}>{changeText(e)}</span>, by: changeText },
  {
    name: "Link",
    cell: (e) => (
      <>
        <a class="mono" href={caseHref(e.link?.a ?? "")}>
          {visible(e.link?.a ?? "")}
        </a>
        <span class="muted"> ~ </span>
        <a class="mono" href={caseHref(e.link?.b ?? "")}>
          {visible(e.link?.b ?? "")}
        </a>
      </>
    ),
    by: (e) => e.link?.ref ?? "",
  },
  {
    name: "Likelihood",
    cell: (e) => (e.change === "LINK_CHANGE_REMOVED" ? null : <Likelihood value={e.link?.likelihood} {...(e.link?.modelVersion ? { model: e.link.modelVersion } : {})} />),
    by: (e) => e.link?.likelihood ?? 0,
  },
  { name: "Tier", cell: (e) => <Tiers event={e} />, by: (e) => e.link?.likelihood ?? 0 },
  { name: "Because", cell: (e) => <span class="muted">{causeText(e)}</span>, wide: true },
  {
    name: "",
    cell: (e) => e.link?.a && e.link.b && <a href={linkHref(e.link.a, e.link.b)}>why</a>,
  },
];

function Tiers({ event: e }: { event: Event }) {
  const before = e.previousTier && e.previousTier !== "TIER_UNSPECIFIED" ? e.previousTier : undefined;
  const removed = e.change === "LINK_CHANGE_REMOVED";
  return (
    <span class="tiers">
      {!removed && <TierBadge tier={e.link?.tier} {...(e.link?.review ? { review: e.link.review } : {})} held={e.link?.held ?? false} />}
      {before && (removed || before !== e.link?.tier) && <span class="muted">was {tierNames[before]}</span>}
    </span>
  );
}

function Connection({ state, paused }: { state: State; paused: boolean }) {
  const text = {
    connecting: "connecting…",
    live: paused ? "connected, paused" : "connected",
    waiting: state.is === "waiting" ? `${state.why}; again in ${state.seconds} s` : "",
    refused: "not connected",
    ended: "not connected",
  }[state.is];
  return (
    <span role="status" class={`connection is-${state.is}`}>
      <svg viewBox="0 0 10 10" aria-hidden="true">
        <circle cx="5" cy="5" r="4" />
      </svg>
      {text}
    </span>
  );
}

interface Feed {
  changes: Changes;
  state: State;
  /** Changes that came since the list was paused. */
  held: number;
  /** What is said to those who listen. */
  said: string;
  gap: string;
}

/** Follows the changes of links for as long as the page is shown. */
function useFeed(tier: string, since: string, paused: boolean, round: number): Feed {
  const [changes, setChanges] = useState<Changes>(none);
  const [state, setState] = useState<State>({ is: "connecting" });
  const [said, say] = useState("");
  const [gap, setGap] = useState("");
  const [held, setHeld] = useState(0);
  const came = useRef<Event[]>([]);
  const stopped = useRef(paused);
  stopped.current = paused;
  useLayoutEffect(() => {
    const end = new AbortController();
    came.current = [];
    setChanges(none);
    setGap("");
    setHeld(0);
    void follow({
      signal: end.signal,
      open: (cursor, signal) => service.stream(streamPath(cursor, since, tier), { signal }),
      sleep,
      state: setState,
      gap: setGap,
      events: (events) => came.current.push(...events),
    });
    // What lies before this time was there already: it is not said aloud as news.
    const began = Date.now() - 5_000;
    const timer = setInterval(() => {
      const events = came.current;
      if (events.length > most) events.splice(0, events.length - most);
      if (stopped.current) {
        setHeld(events.length);
        return;
      }
      if (events.length === 0) return;
      came.current = [];
      setHeld(0);
      setChanges((c) => add(c, events));
      const news = events.filter((e) => Date.parse(e.commitTime ?? "") >= began);
      if (news.length > 0) say(announce(news, (t) => tierNames[t ?? "TIER_UNSPECIFIED"] ?? "unknown"));
    }, step);
    return () => {
      clearInterval(timer);
      end.abort();
    };
  }, [tier, since, round]);
  return { changes, state, held, said, gap };
}

/** The address of the stream. */
function streamPath(cursor: string | undefined, since: string, minTier: string): string {
  return `/v1/links:watch?${new URLSearchParams({ ...(cursor === undefined ? { since } : { cursor }), minTier }).toString()}`;
}

function sleep(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => (clearTimeout(end), reject(new DOMException("stopped", "AbortError"))), { once: true });
  });
}
