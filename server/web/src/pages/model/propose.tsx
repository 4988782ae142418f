import { useState } from "preact/hooks";
import { problemFrom } from "../../app/load.ts";
import { href, keep } from "../../app/route.ts";
import { answered, type Problem, type Schemas, service } from "../../app/service.ts";
import { ProblemBox } from "../../ui/state.tsx";
import { tierNames } from "../../ui/tier.tsx";
import { readJudged } from "./judged.ts";
import { figure, gain } from "./names.ts";

type Proposal = Schemas["ProposeModelResponse"];

/** Learns a version from what people judged: first its figures, then it is stored. */
export function Propose({ open, stored }: { open: boolean; stored: () => void }) {
  const [reviews, setReviews] = useState(true);
  const [judged, setJudged] = useState("");
  const [note, setNote] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const [wrong, setWrong] = useState<readonly string[]>([]);
  const [seen, setSeen] = useState<{ answer: Proposal; of: string; dry: boolean }>();
  const asked = JSON.stringify([reviews, judged]);
  const run = async (dryRun: boolean) => {
    const read = readJudged(judged);
    setWrong(read.wrong);
    setProblem(undefined);
    if (read.wrong.length > 0) return;
    setBusy(true);
    try {
      const answer = await answered(service.api.POST("/v1/models", { body: { fromReviews: reviews, judged: read.pairs, note, dryRun } }));
      setSeen({ answer, of: asked, dry: dryRun });
      if (!dryRun) stored();
    } catch (e) {
      setProblem(problemFrom(e));
    }
    setBusy(false);
  };
  const current = seen?.of === asked ? seen : undefined;
  return (
    <details class="card" open={open} onToggle={(e) => e.currentTarget.open !== open && keep({ propose: e.currentTarget.open ? "1" : undefined })}>
      <summary>Propose a version</summary>
      <form
        class="form"
        onSubmit={(e) => {
          e.preventDefault();
          void run(true);
        }}
      >
        <span>Learn from</span>
        <label>
          <input type="checkbox" checked={reviews} onChange={() => setReviews(!reviews)} /> what people said of links
        </label>
        <label for="judged">and these pairs</label>
        <textarea id="judged" rows={3} value={judged} onInput={(e) => setJudged(e.currentTarget.value)} placeholder={'{"a": "TENANT/CASE", "b": "TENANT/CASE", "same": true}'} spellcheck={false} />
        <label for="note">Note</label>
        <input id="note" value={note} onInput={(e) => setNote(e.currentTarget.value)} autocomplete="off" />
        <p class="bar-row">
          <button type="submit" disabled={busy}>
            Show what it would learn
          </button>
          <button type="button" class="main" disabled={busy || !current?.dry} onClick={() => void run(false)}>
            Store it as a version
          </button>
          <span role="status">{busy && "Learning…"}</span>
        </p>
      </form>
      {wrong.length > 0 && (
        <ul class="problem" role="alert">
          {wrong.map((w) => (
            <li>{w}</li>
          ))}
        </ul>
      )}
      {problem && <ProblemBox problem={problem} />}
      {current && <Figures answer={current.answer} dry={current.dry} />}
    </details>
  );
}

function Figures({ answer, dry }: { answer: Proposal; dry: boolean }) {
  const version = answer.model?.version;
  return (
    <div role="status">
      <p>
        {dry ? (
          "Nothing was stored. "
        ) : (
          <>
            Stored as version <a href={href(["model", String(version)])}>{version}</a>; the one that is used stays.{" "}
          </>
        )}
        {figure(answer.reviews ?? 0)} judged pairs, {figure(answer.same ?? 0)} of them of one actor; log-loss in bits, held out in {answer.folds ?? 0} parts:{" "}
        {answer.model ? gain(answer.model) : "-"}.
      </p>
      {(answer.tierChanges ?? []).length > 0 && (
        <>
          <h3>Of {figure(answer.pairsCompared ?? 0)} pairs these would change</h3>
          <ul class="plain">
            {answer.tierChanges?.map((c) => (
              <li>
                {tierNames[c.fromTier ?? "TIER_UNSPECIFIED"]} → {tierNames[c.toTier ?? "TIER_UNSPECIFIED"]}: {figure(c.pairs ?? 0)}
              </li>
            ))}
          </ul>
        </>
      )}
      <div class="rows">
        <table aria-label="What was looked at">
          <thead>
            <tr>
              <th scope="col">Constant</th>
              <th scope="col" class="num">
                Same
              </th>
              <th scope="col" class="num">
                Different
              </th>
              <th scope="col" class="num">
                From
              </th>
              <th scope="col" class="num">
                To
              </th>
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>
            {(answer.considered ?? []).map((c) => (
              <tr>
                <td data-name="Constant">
                  <code>{c.name}</code>
                </td>
                <td class="num" data-name="Same">
                  {figure(c.same ?? 0)}
                </td>
                <td class="num" data-name="Different">
                  {figure(c.different ?? 0)}
                </td>
                <td class="num" data-name="From">
                  {figure(c.fromValue)}
                </td>
                <td class="num" data-name="To">
                  {c.applied ? <strong>{figure(c.toValue)}</strong> : "-"}
                </td>
                <td data-name="Why">{c.reason}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}
