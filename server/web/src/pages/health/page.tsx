import { useLayoutEffect, useState } from "preact/hooks";
import { useLoad } from "../../app/load.ts";
import { answered, type Schemas, service } from "../../app/service.ts";
import { useWho } from "../../app/who.ts";
import "../../ui/parts.css";
import { roleNames } from "../../ui/roles.ts";
import { ProblemBox, Waiting } from "../../ui/state.tsx";
import { Time } from "../../ui/time.tsx";
import { amount, rate, since } from "./figures.ts";
import { Webhooks } from "./webhooks.tsx";

/** How often the figures are asked for anew, in milliseconds. */
const every = 15_000;

/** How the service fares, and how what it posts arrives. */
export default function Page() {
  const [round, next] = useState(0);
  useLayoutEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && next((n) => n + 1), every);
    return () => clearInterval(timer);
  }, []);
  const stats = useLoad(async (signal) => answered(service.api.GET("/v1/stats", { signal })), [round]);
  const ready = useLoad(readiness, [round]);
  const who = useWho();
  return (
    <>
      <h1>Health</h1>
      <dl class="facts across">
        {ready.data?.map((r) => (
          <div>
            <dt>{r.what}</dt>
            <dd class={`state ${r.good ? "good" : "bad"}`}>{r.says}</dd>
          </div>
        ))}
        {who.data && (
          <div>
            <dt>You</dt>
            <dd>
              {who.data.role ? roleNames[who.data.role] : "everybody: there are no keys"} {who.data.keyPrefix && <code>{who.data.keyPrefix}…</code>} {who.data.keyName}
              {who.data.expires && (
                <>
                  {" "}
                  until <Time at={who.data.expires} />
                </>
              )}
            </dd>
          </div>
        )}
      </dl>
      {stats.problem && <ProblemBox problem={stats.problem} again={stats.again} />}
      {!stats.data && !stats.problem && <Waiting />}
      {stats.data && <Figures of={stats.data} />}
      <Webhooks />
    </>
  );
}

function Figures({ of }: { of: Schemas["StatsResponse"] }) {
  const behind = of.backlogMarks ?? 0;
  return (
    <>
      <div class="columns">
        <section class="card" aria-labelledby="service">
          <h2 id="service">Service</h2>
          <dl class="facts">
            <dt>Version</dt>
            <dd>{of.serviceVersion}</dd>
            <dt>Running since</dt>
            <dd>
              <Time at={of.startTime} /> ({since(of.startTime, of.time)})
            </dd>
            <dt>Model</dt>
            <dd>
              <a href={`#/model/${of.modelVersion}`}>version {of.modelVersion}</a>
            </dd>
            <dt>Data of classes</dt>
            <dd>
              <a href="#/feeds">{of.feedsVersion || "none"}</a>
            </dd>
            <dt>As of</dt>
            <dd>
              <Time at={of.time} />
            </dd>
          </dl>
        </section>
        <section class="card" aria-labelledby="store">
          <h2 id="store">Store</h2>
          <dl class="facts">
            <dt>Live cases of customers</dt>
            <dd>{(of.liveCases ?? 0).toLocaleString("en")}</dd>
            <dt>Tenants</dt>
            <dd>{(of.tenants ?? 0).toLocaleString("en")}</dd>
            <dt>Keys that are taken</dt>
            <dd>{(of.keys ?? 0).toLocaleString("en")}</dd>
            <dt>On disk</dt>
            <dd>{of.inMemory ? "nothing: all is in memory" : `${amount(of.storeBytes)}, of which ${amount(of.valueLogBytes)} are long values`}</dd>
          </dl>
        </section>
        <section class="card" aria-labelledby="links-behind">
          <h2 id="links-behind">Links</h2>
          <dl class="facts">
            <dt>Values whose links are not current</dt>
            <dd class={`state ${behind > 0 ? "warn" : "good"}`}>{behind >= 100_000 ? "100,000 or more" : behind.toLocaleString("en")}</dd>
            {of.backlogSince && (
              <>
                <dt>The oldest since</dt>
                <dd>
                  <Time at={of.backlogSince} /> ({since(of.backlogSince, of.time)})
                </dd>
              </>
            )}
            <dt>All looked at anew</dt>
            <dd>{of.sweepPending ? "under way" : "no"}</dd>
            {(of.queues ?? []).map((q) => (
              <>
                <dt>Waiting: {q.name}</dt>
                <dd>{(q.waiting ?? 0).toLocaleString("en")}</dd>
              </>
            ))}
          </dl>
        </section>
        {(of.caches ?? []).length > 0 && (
          <section class="card" aria-labelledby="caches">
            <h2 id="caches">Caches</h2>
            <table aria-label="Caches">
              <thead>
                <tr>
                  <th scope="col">Cache</th>
                  <th scope="col" class="num">
                    Found
                  </th>
                  <th scope="col" class="num">
                    Memory
                  </th>
                </tr>
              </thead>
              <tbody>
                {of.caches?.map((c) => (
                  <tr>
                    <td>{c.name}</td>
                    <td class="num">{rate(c.hits, c.misses)}</td>
                    <td class="num">{amount(c.bytes)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
        )}
      </div>
    </>
  );
}

/** What /healthz and /readyz say: they need no key and hold nothing of cases. */
async function readiness(signal: AbortSignal): Promise<{ what: string; says: string; good: boolean }[]> {
  const pages = [
    ["The process", "/healthz"],
    ["Takes calls", "/readyz"],
  ] as const;
  return Promise.all(
    pages.map(async ([what, path]) => {
      try {
        const r = await fetch(path, { signal });
        return { what, says: (await r.text()).trim().slice(0, 200) || String(r.status), good: r.ok };
      } catch (e) {
        if (signal.aborted) throw e;
        return { what, says: "cannot be reached", good: false };
      }
    }),
  );
}
