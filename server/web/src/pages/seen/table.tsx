import { useRef, useState } from "preact/hooks";
import { keep, type Route } from "../../app/route.ts";
import { type Column, Rows, type Sort } from "../../ui/rows.tsx";
import { Value, visible } from "../../ui/value.tsx";
import { abuseText, countText, othersText, type Row, sorters, spanOf, statusNames } from "./answers.ts";
import { Detail } from "./detail.tsx";
import { KindOptions } from "./filters.tsx";
import { itemId } from "./state.ts";
import { Span, spanText } from "./timeline.tsx";

/** Longer names of lines are not put into the address. */
const maxOpen = 500;

/** The answers, a line each. */
export function Table({ rows, scale, route, role, correct, drop }: {
  rows: readonly Row[];
  scale: [number, number] | undefined;
  route: Route;
  role: string | undefined;
  correct: (ids: ReadonlySet<string>, kind: string) => void;
  drop: (ids: ReadonlySet<string>) => void;
}) {
  const [open, setOpen] = useState(route.query.get("open") ?? "");
  // A key that is pressed finds what is open now, not what was when it was handed over.
  const now = useRef(open);
  now.current = open;
  const toggle = (r: Row) => {
    const next = r.id === now.current ? "" : r.id;
    setOpen(next);
    keep({ open: next !== "" && next.length <= maxOpen ? next : undefined });
  };
  const columns = columnsOf(rows, scale, { open, toggle, role, correct, drop });
  const sort = route.query.get("sort");
  const at = columns.findIndex((c) => c.key === sort);
  return (
    <Rows
      rows={rows}
      columns={columns}
      id={(r) => r.id}
      open={toggle}
      label="Values"
      detail={(r) => (r.id === open ? <Detail row={r} /> : undefined)}
      sorted={at < 0 ? undefined : { at, down: route.query.get("down") === "1" }}
      onSort={(s: Sort) => keep({ sort: columns[s.at]?.key, down: s.down ? "1" : undefined })}
    />
  );
}

interface Doing {
  open: string;
  toggle: (r: Row) => void;
  role: string | undefined;
  correct: (ids: ReadonlySet<string>, kind: string) => void;
  drop: (ids: ReadonlySet<string>) => void;
}

type Col = Column<Row> & { key: string };

function by(key: string): (r: Row) => string | number {
  return sorters[key] ?? ((r) => r.value);
}

/** The columns; those that would be empty for every line are left out. */
function columnsOf(rows: readonly Row[], scale: [number, number] | undefined, d: Doing): Col[] {
  const any = (has: (r: Row) => unknown) => rows.some((r) => Boolean(has(r)));
  const columns: (Col | false)[] = [
    {
      key: "value",
      name: "Value",
      by: by("value"),
      cell: (r) => (
        <span class="opens">
          <button type="button" class="quiet caret" aria-expanded={r.id === d.open} aria-label={r.id === d.open ? "Close" : "Open"} disabled={!r.result} onClick={() => d.toggle(r)}>
            {r.id === d.open ? "▾" : "▸"}
          </button>
          <Value value={r.value} most={90} />
          {r.item.times > 1 && (
            <span class="muted" title={`${r.item.times} times in the text`}>
              ×{r.item.times}
            </span>
          )}
        </span>
      ),
    },
    {
      key: "kind",
      name: "Kind",
      by: by("kind"),
      cell: (r) => <Kind row={r} role={d.role} correct={d.correct} />,
    },
    { key: "status", name: "Status", by: by("status"), cell: (r) => <StatusCell row={r} /> },
    any((r) => r.result?.tenants?.min) && {
      key: "tenants",
      name: "Tenants",
      num: true,
      by: by("tenants"),
      cell: (r) => zero(countText(r.result?.tenants)),
    },
    any((r) => r.result?.cases?.min) && { key: "cases", name: "Cases", num: true, by: by("cases"), cell: (r) => zero(countText(r.result?.cases)) },
    any((r) => r.result?.otherTenants) && {
      key: "others",
      name: "Other tenants",
      by: by("others"),
      cell: (r) => othersText(r.result?.otherTenants),
    },
    scale !== undefined && { key: "first", name: "First seen", by: by("first"), cell: (r) => spanText(spanOf(r)?.first) },
    scale !== undefined && { key: "last", name: "Last seen", by: by("last"), cell: (r) => spanText(spanOf(r)?.last) },
    scale !== undefined && { key: "line", name: `${month(scale[0])} – ${month(scale[1])}`, wide: true, cell: (r) => <Span span={spanOf(r)} scale={scale} /> },
    any((r) => r.result?.class) && {
      key: "class",
      name: "Class",
      by: by("class"),
      cell: (r) => r.result?.class && <span title={visible((r.result.classReasons ?? []).join("\n")).replaceAll("\\u{a}", "\n")}>{r.result.class.replaceAll("_", " ")}</span>,
    },
    any((r) => abuseText(r.result).text) && {
      key: "abuse",
      name: "Abuse",
      by: by("abuse"),
      cell: (r) => {
        const a = abuseText(r.result);
        return a.text && <span title={a.from}>{a.text}</span>;
      },
    },
    any((r) => r.result?.generic) && {
      key: "generic",
      name: "Generic",
      by: by("generic"),
      cell: (r) => r.result?.generic && <span class="muted">{visible(r.result.genericReason || "generic")}</span>,
    },
    {
      key: "drop",
      name: "",
      cell: (r) =>
        !r.also && (
          <button type="button" class="quiet drop" aria-label={`Drop ${visible(r.value).slice(0, 60)}`} title="Drop" onClick={() => d.drop(new Set([itemId(r.item)]))}>
            ×
          </button>
        ),
    },
  ];
  return columns.filter((c) => c !== false);
}

function zero(count: string) {
  return count === "0" ? <span class="muted">0</span> : count;
}

function month(t: number): string {
  return new Date(t).toISOString().slice(0, 7);
}

function StatusCell({ row }: { row: Row }) {
  const why =
    row.status === "invalid"
      ? (row.result?.violation?.message ?? "")
      : row.status === "undisclosed"
        ? "values of this kind are not for this key"
        : row.status === "unasked"
          ? "this key may not ask for values of this kind"
          : "";
  return (
    <span class={`status ${row.status}`} title={visible(why)}>
      {statusNames[row.status]}
      {row.status === "seen" && row.result?.cases?.min === 0 && row.result.sightings?.some((s) => s.withheld) && (
        <span class="muted" title="Only in restricted or tlp:red cases, which count nowhere."> restricted</span>
      )}
      {row.status === "invalid" && why && <span class="muted">: {visible(why)}</span>}
    </span>
  );
}

/** The kind of a value, which becomes a choice when it is pressed: 5,000 choices would be slow. */
function Kind({ row, role, correct }: { row: Row; role: string | undefined; correct: Doing["correct"] }) {
  const [choosing, choose] = useState(false);
  if (row.also) return <span title="the same value, as the target of forwarding">{row.kind}</span>;
  if (!choosing) {
    return (
      <button type="button" class="quiet kind" title={row.item.kind ? "as you said; change" : "guessed; change"} onClick={() => choose(true)}>
        {row.kind}
      </button>
    );
  }
  return (
    <select
      aria-label="Kind"
      ref={(e) => e?.focus()}
      value={row.item.kind || "guess"}
      onBlur={() => choose(false)}
      onChange={(e) => {
        choose(false);
        correct(new Set([itemId(row.item)]), e.currentTarget.value === "guess" ? "" : e.currentTarget.value);
      }}
    >
      <KindOptions role={role} />
    </select>
  );
}
