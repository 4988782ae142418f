import { useMemo } from "preact/hooks";
import { keep, type Route } from "../../app/route.ts";
import { useWho } from "../../app/who.ts";
import { Nothing, ProblemBox, Waiting } from "../../ui/state.tsx";
import { useAnswers } from "./answering.ts";
import { type Filter, filterRows, rowsOf, scaleOf, sortRows } from "./answers.ts";
import { Box } from "./box.tsx";
import { Filters } from "./filters.tsx";
import { mayAsk } from "./find/kinds.ts";
import { itemId, withKind } from "./state.ts";
import { Summary } from "./summary.tsx";
import { Table } from "./table.tsx";
import { useValues } from "./values.ts";
import "./seen.css";

/** "Seen elsewhere?": paste anything, and read where its values were seen. */
export default function Page({ route }: { route: Route }) {
  const who = useWho();
  const values = useValues(route);
  const parts = route.query.get("parts") !== "0";
  const asked = useMemo(() => (parts ? values.items : values.items.filter((i) => !i.part)), [values.items, parts]);
  const answers = useAnswers(asked, values.texts, who.data);
  const role = who.data?.role;
  const rows = useMemo(() => rowsOf(asked, answers.by, (kind) => mayAsk(role, kind)), [asked, answers.by, answers.round, role]);
  const filter = filterOf(route);
  const sort = route.query.get("sort") ?? "";
  const down = route.query.get("down") === "1";
  const shown = useMemo(() => sortRows(filterRows(rows, filter), sort, down), [rows, sort, down, ...Object.values(filter)]);
  const scale = useMemo(() => scaleOf(shown), [shown]);
  const correct = (ids: ReadonlySet<string>, kind: string) => values.change((items) => withKind(items, ids, kind));
  const drop = (ids: ReadonlySet<string>) => values.change((items) => items.filter((i) => !ids.has(itemId(i))));
  const some = values.items.length > 0;
  return (
    <div class="seen">
      <h1>Seen elsewhere?</h1>
      <Box given={route.query.get("q") ?? ""} take={values.take} small={some} />
      {values.reading && <Waiting what="Reading the address" />}
      {some ? (
        <>
          <Summary values={values} asked={asked} rows={rows} answers={answers} filter={filter} parts={parts} role={role} />
          {answers.problem && <ProblemBox problem={answers.problem} again={answers.again} />}
          <Filters rows={rows} shown={shown} filter={filter} role={role} correct={correct} drop={drop} />
          {shown.length > 0 ? (
            <Table rows={shown} scale={scale} route={route} role={role} correct={correct} drop={drop} />
          ) : (
            <Nothing>
              No value is like that. <button type="button" onClick={() => keep({ text: undefined, kind: undefined, status: undefined, tenant: undefined, class: undefined })}>Show all</button>
            </Nothing>
          )}
          {answers.credits.length > 0 && (
            <p class="muted credits">
              {answers.credits.map((c) => (
                <span>{c.text} </span>
              ))}
            </p>
          )}
        </>
      ) : (
        !values.reading && <Hints names={values.text?.names.length ?? 0} nothing={values.text !== undefined} take={values.takeNames} numbers={values.text?.numbers ?? 0} />
      )}
      {!some && values.note && <p class="note">{values.note}</p>}
    </div>
  );
}

function Hints({ names, nothing, take, numbers }: { names: number; nothing: boolean; take: () => void; numbers: number }) {
  if (!nothing) return null;
  return (
    <Nothing>
      No value was found in this text.
      {numbers > 0 && ` ${numbers} telephone or account numbers are left out: they are never asked for.`}
      {names > 0 && (
        <>
          {" "}
          <button type="button" onClick={take}>
            Ask for its {names} lines as names of mail rules
          </button>
        </>
      )}
    </Nothing>
  );
}

function filterOf(route: Route): Filter {
  const of = (name: string) => route.query.get(name) ?? "";
  return { text: of("text"), kind: of("kind"), status: of("status"), tenant: of("tenant"), class: of("class") };
}
