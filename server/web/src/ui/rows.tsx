import { type ComponentChildren, Fragment, type VNode } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { useHotkeys } from "../app/hotkeys.ts";

/** A column of a table. */
export interface Column<T> {
  name: string;
  /** What a cell shows. */
  cell: (row: T) => ComponentChildren;
  /** What rows are sorted by; none cannot be sorted by this column. */
  by?: (row: T) => string | number;
  /** Numbers stand right. */
  num?: boolean;
  /** Hidden where there is little room. */
  wide?: boolean;
}

/** The column that rows are sorted by. */
export interface Sort {
  at: number;
  down: boolean;
}

/** Rows that are shown at once; more are shown on demand. */
const step = 200;

/**
 * A table that is read with j and k and opened with Enter. Sorting is the reader's; the
 * order that is given is kept among equals.
 */
export function Rows<T>({ rows, columns, id, open, label, more, detail, sorted: given, onSort }: {
  rows: readonly T[];
  columns: readonly Column<T>[];
  id: (row: T) => string;
  /** What Enter on a row does. */
  open?: (row: T) => void;
  label: string;
  /** Fetches further rows; none when there are no more. */
  more?: (() => void) | undefined;
  /** What stands below a row that is open. */
  detail?: (row: T) => VNode | undefined;
  /** The order that the rows have, where the page's address has it; else the table sorts them itself. */
  sorted?: Sort | undefined;
  onSort?: (s: Sort) => void;
}): VNode {
  const [own, setOwn] = useState<Sort>();
  const sort = onSort ? given : own;
  const setSort = onSort ?? setOwn;
  const [most, setMost] = useState(step);
  const [at, setAt] = useState(-1);
  const body = useRef<HTMLTableSectionElement>(null);
  const by = !onSort && sort && columns[sort.at]?.by;
  const sorted = by ? rows.toSorted((x, y) => compare(by(x), by(y)) * (sort.down ? -1 : 1)) : rows;
  const shown = sorted.slice(0, most);
  const move = (to: number) => {
    const next = Math.min(shown.length - 1, Math.max(0, to));
    setAt(next);
    body.current?.querySelector<HTMLElement>(`tr[data-at="${next}"]`)?.focus();
  };
  useHotkeys(
    [
      { key: "j", help: "next row", run: () => move(at + 1) },
      { key: "k", help: "row before", run: () => move(at - 1) },
      ...(open ? [{ key: "Enter", help: "open the row", run: () => at >= 0 && shown[at] !== undefined && open(shown[at]) }] : []),
    ],
    [at, shown.length, sort, rows],
  );
  useLayoutEffect(() => setAt(-1), [label]);
  return (
    <div class="rows">
      <table aria-label={label}>
        <thead>
          <tr>
            {columns.map((c, i) => (
              <th scope="col" class={classes(c)} aria-sort={sort?.at === i ? (sort.down ? "descending" : "ascending") : undefined}>
                {c.by ? (
                  <button type="button" class="quiet" onClick={() => setSort({ at: i, down: sort?.at === i ? !sort.down : false })}>
                    {c.name}
                    <span aria-hidden="true">{sort?.at === i ? (sort.down ? " ↓" : " ↑") : ""}</span>
                  </button>
                ) : (
                  c.name
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          {shown.map((row, i) => {
            const below = detail?.(row);
            return (
              <Fragment key={id(row)}>
                <tr data-at={i} tabIndex={-1} class={i === at ? "at" : ""} onFocus={() => setAt(i)} onDblClick={() => open?.(row)}>
                  {columns.map((c) => (
                    <td class={classes(c)} data-name={c.name}>
                      {c.cell(row)}
                    </td>
                  ))}
                </tr>
                {below && (
                  <tr class="below">
                    <td colSpan={columns.length}>{below}</td>
                  </tr>
                )}
              </Fragment>
            );
          })}
        </tbody>
      </table>
      {most < sorted.length ? (
        <button type="button" onClick={() => setMost(most + step)}>
          Show more ({sorted.length - most} left)
        </button>
      ) : (
        more && (
          <button type="button" onClick={more}>
            Load more
          </button>
        )
      )}
    </div>
  );
}

function classes<T>(c: Column<T>): string {
  return [c.num ? "num" : "", c.wide ? "wide" : ""].join(" ").trim();
}

function compare(x: string | number, y: string | number): number {
  return x < y ? -1 : x > y ? 1 : 0;
}
