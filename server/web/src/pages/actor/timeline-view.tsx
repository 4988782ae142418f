import { useMemo, useState } from "preact/hooks";
import { caseHref } from "../../app/route.ts";
import { utc } from "../../ui/time.tsx";
import type { Study } from "./study.ts";
import { timeline } from "./timeline.ts";

/** Cases that are shown at once. */
const step = 40;

/** Marks on the axis; nearer to its ends than this they have no text, which would stand out. */
const marks = 5;
const edge = 0.08;

/** Height of a case's lane and of the axis, in pixels. */
const lane = 20;
const axis = 22;

/** When each case was active, on one axis. */
export function CaseTimes({ study }: { study: Study }) {
  const [most, setMost] = useState(step);
  const line = useMemo(() => timeline(study.gathered.cases, marks), [study.gathered]);
  const lanes = line.lanes.slice(0, most);
  return (
    <section class="card times" aria-labelledby="times">
      <h2 id="times">Time line</h2>
      {lanes.length === 0 && <p class="muted">{study.whole ? "No case says when." : "Reading cases…"}</p>}
      {lanes.length > 0 && (
        <div class="lanes">
          <ul>
            {lanes.map((l) => (
              <li>
                <a href={caseHref(l.ref)}>{l.ref}</a>
                <span class="spoken">
                  , {utc(l.first)} to {utc(l.last)}
                </span>
              </li>
            ))}
          </ul>
          <svg height={axis + lanes.length * lane} aria-hidden="true">
            {line.ticks.map((t, i) => (
              <>
                <line class="mark" x1={percent(t.at)} x2={percent(t.at)} y1={axis - 4} y2="100%" />
                {t.at >= edge && t.at <= 1 - edge && (
                  <text x={percent(t.at)} y={12} text-anchor="middle" class={i % 2 ? "wide" : ""}>
                    {t.text}
                  </text>
                )}
              </>
            ))}
            {lanes.map((l, i) => (
              <line class="span" x1={percent(l.from)} x2={percent(l.to)} y1={axis + (i + 0.5) * lane} y2={axis + (i + 0.5) * lane}>
                <title>
                  {l.ref} {utc(l.first)} to {utc(l.last)} UTC
                </title>
              </line>
            ))}
          </svg>
        </div>
      )}
      {line.lanes.length > most && (
        <button type="button" onClick={() => setMost(most + 5 * step)}>
          Show more ({(line.lanes.length - most).toLocaleString("en")} left)
        </button>
      )}
      {line.undated.length > 0 && <p class="muted">Without times: {line.undated.slice(0, 20).join(", ")}{line.undated.length > 20 && ` and ${line.undated.length - 20} more`}</p>}
    </section>
  );
}

function percent(part: number): string {
  return `${(part * 100).toFixed(3)}%`;
}
