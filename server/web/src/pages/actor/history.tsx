import { caseHref, href } from "../../app/route.ts";
import { answered, type Schemas, service } from "../../app/service.ts";
import { usePages } from "../../ui/pages.ts";
import { ProblemBox, Waiting } from "../../ui/state.tsx";
import { Time } from "../../ui/time.tsx";
import { Value } from "../../ui/value.tsx";

type Event = Schemas["ActorEvent"];

const words: Record<Schemas["ActorChange"], string> = {
  ACTOR_CHANGE_UNSPECIFIED: "changed",
  ACTOR_CHANGE_CREATED: "came to be",
  ACTOR_CHANGE_JOINED: "cases joined",
  ACTOR_CHANGE_MERGED: "merged",
  ACTOR_CHANGE_SPLIT: "split",
  ACTOR_CHANGE_RENAMED: "has another id",
  ACTOR_CHANGE_NAMED: "named",
};

/** Cases that an entry names at most. */
const membersMost = 10;

/** What became of an actor, newest first; `round` changes when there is something new. */
export function History({ id, round }: { id: string; round: string }) {
  const list = usePages<Event>(
    async (pageToken, signal) => {
      const query = { pageSize: 50, ...(pageToken ? { pageToken } : {}) };
      const page = await answered(service.api.GET("/v1/actors/{actor}/history", { params: { path: { actor: id }, query }, signal }));
      return { rows: page.events ?? [], next: page.nextPageToken ?? "" };
    },
    [id, round],
  );
  return (
    <section class="card" aria-labelledby="history">
      <h2 id="history">History</h2>
      {list.problem && <ProblemBox problem={list.problem} />}
      <ol class="plain events">
        {list.rows.map((e) => (
          <li>
            <Time at={e.time} /> <strong>{words[e.change ?? "ACTOR_CHANGE_UNSPECIFIED"] ?? "changed"}</strong> <FromTo event={e} here={id} />
            <Members event={e} />
            {e.text && <Value value={e.text} copy={false} />} {e.author && (
              <span class="muted">
                by <Value value={e.author} copy={false} />
              </span>
            )}
          </li>
        ))}
      </ol>
      {list.loading && <Waiting />}
      {!list.loading && !list.problem && list.rows.length === 0 && <p class="muted">Nothing is on record.</p>}
      {list.more && (
        <button type="button" onClick={list.more}>
          Load more
        </button>
      )}
    </section>
  );
}

function FromTo({ event, here }: { event: Event; here: string }) {
  return (
    <>
      {event.from && event.from !== here && (
        <>
          from <a href={href(["actors", event.from])}>{event.from}</a>{" "}
        </>
      )}
      {event.to && event.to !== here && (
        <>
          to <a href={href(["actors", event.to])}>{event.to}</a>{" "}
        </>
      )}
    </>
  );
}

function Members({ event }: { event: Event }) {
  const all = event.members ?? [];
  const left = all.length - membersMost;
  return (
    <>
      {all.slice(0, membersMost).map((m) => (
        <>
          <a href={caseHref(m)}>{m}</a>{" "}
        </>
      ))}
      {(left > 0 || event.moreMembers) && <span class="muted">and {left > 0 ? `${left}${event.moreMembers ? " or more" : ""}` : ""} more </span>}
    </>
  );
}
