import { useLoad } from "../../app/load.ts";
import { answered, type Schemas, service } from "../../app/service.ts";
import "../../ui/parts.css";
import { Rows } from "../../ui/rows.tsx";
import { Nothing, ProblemBox, Waiting } from "../../ui/state.tsx";
import { Time } from "../../ui/time.tsx";
import { Value } from "../../ui/value.tsx";
import { ageDays } from "./age.ts";

type Feed = Schemas["Feed"];

const kinds: Record<Schemas["FeedKind"], string> = {
  FEED_KIND_UNSPECIFIED: "-",
  FEED_KIND_LIST: "list",
  FEED_KIND_DATABASE: "database",
  FEED_KIND_SERVICE: "service, asked value by value",
};

const statuses: Record<Schemas["FeedStatus"], readonly [string, "good" | "warn" | "bad" | ""]> = {
  FEED_STATUS_UNSPECIFIED: ["unknown", ""],
  FEED_STATUS_IN_USE: ["in use", "good"],
  FEED_STATUS_OUTDATED: ["an older version is in use", "warn"],
  FEED_STATUS_UNUSABLE: ["not usable", "bad"],
  FEED_STATUS_OFF: ["off", ""],
};

/** The lists, databases and services that classes and records come from. */
export default function Page() {
  const loaded = useLoad(async (signal) => (await answered(service.api.GET("/v1/feeds", { signal }))).feeds ?? [], []);
  const now = Date.now();
  if (loaded.problem) return <ProblemBox problem={loaded.problem} again={loaded.again} />;
  if (!loaded.data) return <Waiting />;
  const credits = loaded.data.filter((f) => f.attribution && f.status !== "FEED_STATUS_OFF");
  return (
    <>
      <h1>Feeds</h1>
      <p class="muted">What is known of addresses, names and networks comes from these, in the order of their precedence. A list that does not name a value says nothing of it.</p>
      {loaded.data.length === 0 ? (
        <Nothing>There is no feed.</Nothing>
      ) : (
        <Rows<Feed>
          label="Feeds"
          rows={loaded.data}
          id={(f) => f.name ?? ""}
          columns={[
            { name: "Feed", cell: (f) => <Named feed={f} />, by: (f) => f.title || (f.name ?? "") },
            { name: "Kind", cell: (f) => kinds[f.kind ?? "FEED_KIND_UNSPECIFIED"] ?? "-", by: (f) => f.kind ?? "", wide: true },
            { name: "Status", cell: (f) => <Status feed={f} />, by: (f) => f.status ?? "" },
            { name: "Data of", cell: (f) => <span class="state">{f.date || "-"}</span>, by: (f) => f.date ?? "" },
            { name: "Age", cell: (f) => age(f, now), by: (f) => ageDays(f.date, now) ?? Infinity, num: true },
            { name: "Entries", cell: (f) => (f.entries ? f.entries.toLocaleString("en") : "-"), by: (f) => f.entries ?? 0, num: true },
            { name: "Fetched", cell: (f) => <Time at={f.fetchedAt} />, by: (f) => f.fetchedAt ?? "" },
            { name: "Asked for a newer one", cell: (f) => <Time at={f.checkedAt} />, by: (f) => f.checkedAt ?? "", wide: true },
            { name: "From", cell: (f) => <Value value={f.origin ?? ""} most={60} copy={false} />, wide: true },
            { name: "Licence", cell: (f) => f.licence || "-", wide: true },
          ]}
        />
      )}
      {credits.length > 0 && (
        <section aria-labelledby="credits">
          <h2 id="credits">What publishers want to be shown</h2>
          <ul class="plain">
            {credits.map((f) => (
              <li>
                {f.title || f.name}: {f.attribution}
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function Named({ feed }: { feed: Feed }) {
  return (
    <>
      {feed.title || feed.name} {feed.title && <span class="muted">{feed.name}</span>}
    </>
  );
}

function Status({ feed }: { feed: Feed }) {
  const [text, tone] = statuses[feed.status ?? "FEED_STATUS_UNSPECIFIED"] ?? ["unknown", ""];
  return (
    <>
      <span class={`state ${tone}`}>{text}</span>
      {feed.error && (
        <>
          {": "}
          <Value value={feed.error} most={200} copy={false} />
        </>
      )}
    </>
  );
}

function age(f: Feed, now: number): string {
  const n = ageDays(f.date, now);
  return n === undefined ? "-" : n === 1 ? "1 day" : `${n} days`;
}
