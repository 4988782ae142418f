import { caseHref, go } from "../../app/route.ts";
import { Rows } from "../../ui/rows.tsx";
import { Nothing } from "../../ui/state.tsx";
import { Time } from "../../ui/time.tsx";
import { Value } from "../../ui/value.tsx";
import type { Shared } from "./build.ts";
import type { CaseFacts } from "./facts.ts";
import type { Study } from "./study.ts";

/** Cases that a row names at most. */
const refsMost = 5;

/** What the picture shows of values, as a table. */
export function ValueTable({ study, generic }: { study: Study; generic: boolean }) {
  const rows = study.shared.filter((s) => generic || !study.classes.get(s.id)?.generic);
  if (study.whole && rows.length === 0) return <Nothing>No two of the cases share a value{generic ? "" : " that is not generic"}.</Nothing>;
  return (
    <Rows<Shared>
      label="Shared values"
      rows={rows}
      id={(s) => s.id}
      columns={[
        { name: "Value", cell: (s) => <Value value={s.value} />, by: (s) => s.value },
        { name: "Kind", cell: (s) => s.kind, by: (s) => s.kind },
        { name: "Class", cell: (s) => study.classes.get(s.id)?.class.replaceAll("_", " ") || "-", by: (s) => study.classes.get(s.id)?.class ?? "" },
        ...(generic ? [{ name: "Generic", cell: (s: Shared) => (study.classes.get(s.id)?.generic ? study.classes.get(s.id)?.genericReason || "yes" : ""), wide: true }] : []),
        { name: "Cases", cell: (s) => s.refs.length, by: (s) => s.refs.length, num: true },
        { name: "In", cell: (s) => <Refs refs={s.refs} />, wide: true },
        { name: "First seen", cell: (s) => <Time at={iso(s.first)} />, by: (s) => s.first ?? 0 },
        { name: "Last seen", cell: (s) => <Time at={iso(s.last)} />, by: (s) => s.last ?? 0 },
      ]}
    />
  );
}

/** What the picture shows of cases, as a table. */
export function CaseTable({ study }: { study: Study }) {
  const counts = new Map<string, number>();
  for (const s of study.shared) for (const ref of s.refs) counts.set(ref, (counts.get(ref) ?? 0) + 1);
  return (
    <Rows<CaseFacts>
      label="Cases of the actor"
      rows={study.gathered.cases}
      id={(c) => c.ref}
      open={(c) => go(caseHref(c.ref))}
      columns={[
        { name: "Case", cell: (c) => <a href={caseHref(c.ref)}>{c.ref}</a>, by: (c) => c.ref },
        { name: "Title", cell: (c) => <Value value={c.title} copy={false} />, by: (c) => c.title, wide: true },
        { name: "Values", cell: (c) => c.values.length, by: (c) => c.values.length, num: true },
        { name: "Shared", cell: (c) => counts.get(c.ref) ?? 0, by: (c) => counts.get(c.ref) ?? 0, num: true },
        { name: "ATT&CK", cell: (c) => c.techniques.join(" "), wide: true },
        { name: "First seen", cell: (c) => <Time at={iso(c.first)} />, by: (c) => c.first ?? 0 },
        { name: "Last seen", cell: (c) => <Time at={iso(c.last)} />, by: (c) => c.last ?? 0 },
      ]}
    />
  );
}

function Refs({ refs }: { refs: readonly string[] }) {
  return (
    <>
      {refs.slice(0, refsMost).map((r, i) => (
        <>
          {i > 0 && ", "}
          <a href={caseHref(r)}>{r}</a>
        </>
      ))}
      {refs.length > refsMost && <span class="muted"> and {refs.length - refsMost} more</span>}
    </>
  );
}

function iso(t: number | undefined): string | undefined {
  return t === undefined ? undefined : new Date(t).toISOString();
}
