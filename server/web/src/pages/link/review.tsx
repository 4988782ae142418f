import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { problemFrom, useLoad } from "../../app/load.ts";
import { caseHref, href, keep } from "../../app/route.ts";
import type { Problem, Schemas } from "../../app/service.ts";
import { ProblemBox, Waiting } from "../../ui/state.tsx";
import { Likelihood, TierBadge } from "../../ui/tier.tsx";
import { Time } from "../../ui/time.tsx";
import { visible } from "../../ui/value.tsx";
import { type Ends, review } from "./state.ts";

/** What a person can say of a pair, by how the address names it. */
export const actions = { confirm: "REVIEW_ACTION_CONFIRM", refute: "REVIEW_ACTION_REFUTE", clear: "REVIEW_ACTION_CLEAR" } as const;

/** One of the names of actions. */
export type Action = keyof typeof actions;

/** The longest reason, in characters. */
const longest = 1000;

const says: Record<Action, string> = {
  confirm: "Confirm: the same actor. The cases are kept together whatever the score.",
  refute: "Refute: not the same actor. The cases are kept apart whatever the score.",
  clear: "Clear: as if nobody had spoken. The score decides again.",
};

/** Asks for a reason, shows what would follow, and only then says it. */
export function ReviewDialog({ ends, action, done }: { ends: Ends; action: Action; done: (r: Schemas["ReviewLinkResponse"]) => void }) {
  const box = useRef<HTMLDialogElement>(null);
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  // The effect does not hang on the reason; one is needed to ask.
  const effect = useLoad((signal) => review(ends, actions[action], action === "clear" ? "" : "preview", true, signal), [action, ...Object.values(ends)]);
  useLayoutEffect(() => box.current?.showModal(), []);
  const length = [...reason.trim()].length;
  const ready = effect.data !== undefined && !busy && length <= longest && (action === "clear" || length > 0);
  const say = async () => {
    setBusy(true);
    try {
      done(await review(ends, actions[action], reason.trim(), false));
    } catch (e) {
      setProblem(problemFrom(e));
      setBusy(false);
    }
  };
  return (
    <dialog ref={box} class="review" onClose={() => keep({ review: undefined })} aria-labelledby="review-title">
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (ready) void say();
        }}
      >
        <h2 id="review-title">{says[action]}</h2>
        <label for="reason">Reason{action === "clear" ? " (may be left out)" : ""}</label>
        <textarea
          id="reason"
          rows={3}
          value={reason}
          onInput={(e) => setReason(e.currentTarget.value.replace(/[\r\n\t]+/g, " "))}
          aria-describedby="reason-length"
          aria-invalid={length > longest}
        />
        <p id="reason-length" class={length > longest ? "too-long" : "muted"}>
          {length} of {longest} characters. It is kept with your name and shown to who reads both cases.
        </p>
        <h3>What would follow</h3>
        {effect.problem ? <ProblemBox problem={effect.problem} again={effect.again} /> : effect.data ? <Effect effect={effect.data} /> : <Waiting />}
        {problem && <ProblemBox problem={problem} />}
        <div class="bar-row">
          <button type="submit" disabled={!ready}>
            {action === "confirm" ? "Confirm" : action === "refute" ? "Refute" : "Clear"}
          </button>
          <button type="button" onClick={() => box.current?.close()}>
            Cancel
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** A link and the actors around it before and after a review. */
export function Effect({ effect }: { effect: Schemas["ReviewLinkResponse"] }) {
  const before = effect.actorsBefore ?? [];
  const after = effect.actorsAfter ?? [];
  return (
    <div class="effect">
      <dl>
        <dt>link before</dt>
        <dd>
          <LinkState link={effect.before} />
        </dd>
        <dt>link after</dt>
        <dd>
          <LinkState link={effect.after} />
        </dd>
        <dt>actors before</dt>
        <dd>
          <Actors actors={before} other={after} />
        </dd>
        <dt>actors after</dt>
        <dd>
          <Actors actors={after} other={before} />
        </dd>
      </dl>
      {sameMembers(before, after) && <p class="muted">The actors stay as they are.</p>}
      <Conflicts conflicts={effect.conflicts ?? []} />
    </div>
  );
}

function LinkState({ link }: { link: Schemas["Link"] | undefined }) {
  if (!link) return <span class="muted">none</span>;
  return (
    <span class="bar-row">
      <TierBadge tier={link.tier} review={link.review ?? "REVIEW_UNSPECIFIED"} held={link.held ?? false} />
      <Likelihood value={link.likelihood} model={link.modelVersion ?? 0} />
    </span>
  );
}

function Actors({ actors, other }: { actors: readonly Schemas["Actor"][]; other: readonly Schemas["Actor"][] }) {
  if (actors.length === 0) return <span class="muted">none</span>;
  return (
    <ul class="plain">
      {actors.map((a) => {
        const was = other.find((o) => o.id === a.id)?.members ?? [];
        const members = a.members ?? [];
        return (
          <li>
            <a href={href(["actors", a.id ?? ""])}>{a.name ? visible(a.name) : a.id}</a> <span class="muted">{a.cases} {a.cases === 1 ? "case" : "cases"}:</span>{" "}
            {members.slice(0, 12).map((m) => (
              <a class={`chip ${was.includes(m) ? "" : "moves"}`} title={was.includes(m) ? undefined : "moves"} href={caseHref(m)}>
                {visible(m)}
              </a>
            ))}
            {members.length > 12 && <span class="muted"> and {members.length - 12} more</span>}
          </li>
        );
      })}
    </ul>
  );
}

function sameMembers(a: readonly Schemas["Actor"][], b: readonly Schemas["Actor"][]): boolean {
  const text = (list: readonly Schemas["Actor"][]) => JSON.stringify(list.map((x) => x.members ?? []).sort());
  return text(a) === text(b);
}

/** Reviews that cannot hold beside newer ones. */
function Conflicts({ conflicts }: { conflicts: readonly Schemas["ReviewConflict"][] }) {
  if (conflicts.length === 0) return null;
  return (
    <div class="problem">
      <p>
        <strong>Conflicts.</strong> These reviews are set aside, because newer ones say the opposite:
      </p>
      <ul>
        {conflicts.map((c) => (
          <li>
            <Said r={c.setAside} pair /> against <Said r={c.against} pair />
          </li>
        ))}
      </ul>
    </div>
  );
}

/** What was said of a pair, newest first. */
export function History({ history }: { history: readonly Schemas["LinkReview"][] }) {
  if (history.length === 0) return <p class="nothing">Nobody has said anything of this pair.</p>;
  return (
    <ol class="plain history">
      {history.toReversed().map((r) => (
        <li>
          <Said r={r} />
        </li>
      ))}
    </ol>
  );
}

const words: Record<Schemas["ReviewAction"], string> = {
  REVIEW_ACTION_UNSPECIFIED: "said something",
  REVIEW_ACTION_CONFIRM: "confirmed",
  REVIEW_ACTION_REFUTE: "refuted",
  REVIEW_ACTION_CLEAR: "cleared",
};

function Said({ r, pair }: { r: Schemas["LinkReview"] | undefined; pair?: boolean }) {
  if (!r) return null;
  return (
    <>
      <Time at={r.time} /> <strong>{words[r.action ?? "REVIEW_ACTION_UNSPECIFIED"]}</strong> by <bdi>{visible(r.author ?? "")}</bdi>
      {pair && (
        <>
          {" "}
          of {visible(r.a ?? "")} and {visible(r.b ?? "")}
        </>
      )}
      {r.reason && (
        <>
          : <bdi class="reason">{visible(r.reason)}</bdi>
        </>
      )}
    </>
  );
}
