import { useMemo } from "preact/hooks";
import { keep } from "../../app/route.ts";
import { bits } from "../../ui/bits.ts";
import { type Column, Rows } from "../../ui/rows.tsx";
import { useWidth } from "../../ui/width.ts";
import type { Step } from "./steps.ts";
import { layout, type Row, size } from "./waterfall.ts";

/** A score as a picture: each bar begins where the one before ended. */
export function Waterfall({ steps, at }: { steps: readonly Step[]; at: string }) {
  const [box, width] = useWidth<HTMLDivElement>();
  const picture = useMemo(() => (width > 0 ? layout(steps, width) : undefined), [steps, width]);
  return (
    <div ref={box} class="waterfall">
      {picture && (
        <svg width={picture.width} height={picture.height} viewBox={`0 0 ${picture.width} ${picture.height}`} role="img" aria-label={spoken(steps)}>
          <defs>
            <pattern id="taken" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <rect class="taken" width="1.5" height="5" />
            </pattern>
          </defs>
          {picture.ticks.map((t) => (
            <g class="tick">
              <line x1={t.x} x2={t.x} y1={size.head - 5} y2={picture.height} />
              <text x={t.x} y={size.font} text-anchor={t.anchor}>
                {t.label}
              </text>
            </g>
          ))}
          <line class="zero" x1={picture.zero} x2={picture.zero} y1={size.head - 5} y2={picture.height} />
          {picture.rows.map((row) => (
            <Bar row={row} at={row.step.id === at} />
          ))}
        </svg>
      )}
    </div>
  );
}

function Bar({ row, at }: { row: Row; at: boolean }) {
  const { step, bar, ghost, lead, box } = row;
  return (
    <g class={`step ${step.kind} ${step.used < 0 ? "less" : "more-bits"} ${at ? "at" : ""}`} onClick={() => keep({ step: at ? undefined : step.id })}>
      <title>{step.words.join(" ")}</title>
      <rect class="ground" x={box.x} y={box.y - size.gap / 2} width={box.width} height={box.height + size.gap} />
      {row.lines.map((l) => (
        <text x={row.labelX} y={l.y}>
          {l.text}
        </text>
      ))}
      <text class="amount" x={row.amountX} y={row.amountY} text-anchor="end">
        {row.amount}
      </text>
      {lead && <line class="lead" x1={lead.x} x2={lead.x} y1={lead.from} y2={lead.to} />}
      {ghost && <rect class="ghost" {...ghost} fill="url(#taken)" />}
      {bar && <rect class="run" {...bar} />}
    </g>
  );
}

function spoken(steps: readonly Step[]): string {
  const parts = steps.filter((s) => s.kind !== "family" && s.kind !== "total" && s.used !== 0).map((s) => `${s.label} ${bits(s.used)}`);
  return `Waterfall of bits: ${parts.join(", ")}; total ${bits(steps.at(-1)?.used ?? 0)}. The table says the same in words.`;
}

/** The same steps in words. What stands under "adds" is the total when it is added up. */
export function InWords({ steps, at }: { steps: readonly Step[]; at: string }) {
  const columns: Column<Step>[] = [
    {
      name: "step",
      cell: (s) => (
        <span class={`words-label ${s.kind}`}>
          <bdi>{s.label}</bdi>
        </span>
      ),
    },
    { name: "adds", cell: (s) => (s.kind === "family" ? <span class="muted">({bits(s.used)})</span> : bits(s.used)), num: true },
    { name: "sum", cell: (s) => (s.kind === "family" ? "" : bits(s.to)), num: true },
    { name: "in words", cell: (s) => <bdi class={s.id === at ? "words at" : "words"}>{s.words.join(" ")}</bdi> },
  ];
  return <Rows rows={steps} columns={columns} id={(s) => s.id} open={(s) => keep({ step: s.id })} label="The steps of the score in words" />;
}
