import { useMemo } from "preact/hooks";
import { href } from "../../app/route.ts";
import { days, utc } from "../../ui/time.tsx";
import { useWidth } from "../../ui/width.ts";
import { type Common, lane, type Lane, type Stretch, timeLine } from "./spans.ts";

/** When both cases saw what they have in common: A above B, on one axis. */
export function TimeLine({ all, a, b }: { all: readonly Common[]; a: string; b: string }) {
  const [box, width] = useWidth<HTMLDivElement>();
  const picture = useMemo(() => (width > 0 ? timeLine(all, width) : undefined), [all, width]);
  return (
    <>
      <p class="legend">
        <span>
          <i class="swatch a" /> A <bdi>{a}</bdi>
        </span>
        <span>
          <i class="swatch b" /> B <bdi>{b}</bdi>
        </span>
      </p>
      <div ref={box} class="timeline">
        {picture && (
          <svg width={picture.width} height={picture.height} viewBox={`0 0 ${picture.width} ${picture.height}`} role="group" aria-label="Time line of both cases">
            {picture.ticks.map((t) => (
              <g class="tick">
                <line x1={t.x} x2={t.x} y1={lane.head - 6} y2={picture.height} />
                <text x={t.x + 2} y={12}>
                  {t.label}
                </text>
              </g>
            ))}
            {picture.rows.map((row) => (
              <Named common={row.common}>
                {row.lines.map((l) => (
                  <text x={lane.pad} y={l.y}>
                    {l.text}
                  </text>
                ))}
                <Bar lane={row.a} of="a" />
                <Bar lane={row.b} of="b" />
                {!row.a && !row.b && (
                  <text class="undated" x={picture.left} y={row.y + row.height - 3}>
                    no date
                  </text>
                )}
              </Named>
            ))}
          </svg>
        )}
      </div>
    </>
  );
}

/** A row; one of a value leads to where else it was seen. */
function Named({ common, children }: { common: Common; children: preact.ComponentChildren }) {
  const words = `${common.label}: A ${span(common.a)}; B ${span(common.b)}${apart(common)}`;
  const inner = (
    <>
      <title>{words}</title>
      {children}
    </>
  );
  const kind = common.kind === "" ? "span all" : common.generic ? "span generic" : "span";
  if (common.value === "")
    return (
      <g class={kind} role="img" aria-label={words}>
        {inner}
      </g>
    );
  return (
    <a class={kind} href={href(["seen"], { q: common.value })} aria-label={words}>
      {inner}
    </a>
  );
}

function Bar({ lane: l, of }: { lane: Lane | undefined; of: "a" | "b" }) {
  return l ? <rect class={of} x={l.x} y={l.y} width={l.width} height={lane.height} rx="1.5" /> : null;
}

function span(s: Stretch | undefined): string {
  return s ? `${utc(s.first, true)} to ${utc(s.last, true)}` : "without a date";
}

function apart({ a, b }: Common): string {
  if (!a || !b) return "";
  const gap = Math.max(a.first, b.first) - Math.min(a.last, b.last);
  return gap > 0 ? `; ${days(0, gap)} between` : "; at the same time";
}
