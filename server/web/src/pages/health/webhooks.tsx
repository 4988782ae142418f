import { useState } from "preact/hooks";
import { problemFrom } from "../../app/load.ts";
import { answered, type Problem, type Schemas, service } from "../../app/service.ts";
import { Confirm } from "../../ui/confirm.tsx";
import { Fields } from "../../ui/form.ts";
import { usePages } from "../../ui/pages.ts";
import { Secret } from "../../ui/secret.tsx";
import { ProblemBox, Waiting } from "../../ui/state.tsx";
import { listedTiers, tierNames } from "../../ui/tier.tsx";
import { Time } from "../../ui/time.tsx";
import { Value } from "../../ui/value.tsx";

type Webhook = Schemas["Webhook"];

/** Where changes of links are posted, and what did not arrive. */
export function Webhooks() {
  const [round, next] = useState(0);
  const again = () => next((n) => n + 1);
  const [secret, tell] = useState("");
  const [gone, remove] = useState<Webhook>();
  const list = usePages<Webhook>(
    async (pageToken, signal) => {
      const query = { pageSize: 200, ...(pageToken ? { pageToken } : {}) };
      const page = await answered(service.api.GET("/v1/webhooks", { params: { query }, signal }));
      return { rows: page.webhooks ?? [], next: page.nextPageToken ?? "" };
    },
    [round],
  );
  return (
    <section class="card" aria-labelledby="webhooks">
      <h2 id="webhooks">Webhooks</h2>
      {secret && <Secret what="The secret that deliveries are signed with" secret={secret} done={() => tell("")} />}
      {list.problem && <ProblemBox problem={list.problem} />}
      <ul class="plain">
        {list.rows.map((w) => (
          <li key={w.id}>
            <strong>
              <Value value={w.name || (w.id ?? "")} copy={false} />
            </strong>{" "}
            <Value value={w.url ?? ""} most={80} /> from {tierNames[w.minTier ?? "TIER_POSSIBLE"]} on,{" "}
            {w.allTenants ? "all tenants" : (w.tenants ?? []).join(", ")} · {Number(w.delivered ?? 0).toLocaleString("en")} delivered, the last <Time at={w.lastDeliveredTime} />{" "}
            {w.failingSince && (
              <span class="state bad">
                failing since <Time at={w.failingSince} />
              </span>
            )}{" "}
            {w.lastError && <Value value={w.lastError} copy={false} />}{" "}
            <button type="button" class="danger" onClick={() => remove(w)} aria-label={`Remove ${w.name || w.id}`}>
              Remove
            </button>
            {(w.deadLetters ?? 0) > 0 && <DeadLetters of={w} retried={again} />}
          </li>
        ))}
      </ul>
      {list.loading && <Waiting />}
      {!list.loading && !list.problem && list.rows.length === 0 && <p class="muted">There is no webhook.</p>}
      {list.more && (
        <button type="button" onClick={list.more}>
          Load more
        </button>
      )}
      <NewWebhook
        made={(s) => {
          tell(s);
          again();
        }}
      />
      {gone && (
        <Confirm
          title={`Remove ${gone.name || gone.id}?`}
          verb="Remove it"
          act={async () => {
            await answered(service.api.DELETE("/v1/webhooks/{id}", { params: { path: { id: gone.id ?? "" } } }));
            again();
          }}
          close={() => remove(undefined)}
        >
          <p>Nothing is posted to it any more, and its dead letters go.</p>
        </Confirm>
      )}
    </section>
  );
}

function DeadLetters({ of, retried }: { of: Webhook; retried: () => void }) {
  const [open, setOpen] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const retry = async () => {
    try {
      await answered(service.api.POST("/v1/webhooks/{webhook}/dead-letters/retry", { params: { path: { webhook: of.id ?? "" } }, body: {} }));
      retried();
    } catch (e) {
      setProblem(problemFrom(e));
    }
  };
  return (
    <details onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary class="state bad">{of.deadLetters} did not arrive</summary>
      {open && <Letters webhook={of.id ?? ""} />}
      <button type="button" onClick={() => void retry()}>
        Post them once more
      </button>
      {problem && <ProblemBox problem={problem} />}
    </details>
  );
}

function Letters({ webhook }: { webhook: string }) {
  const list = usePages<Schemas["DeadLetter"]>(
    async (pageToken, signal) => {
      const query = { pageSize: 50, ...(pageToken ? { pageToken } : {}) };
      const page = await answered(service.api.GET("/v1/webhooks/{webhook}/dead-letters", { params: { path: { webhook }, query }, signal }));
      return { rows: page.deadLetters ?? [], next: page.nextPageToken ?? "" };
    },
    [webhook],
  );
  return (
    <>
      {list.problem && <ProblemBox problem={list.problem} />}
      {list.loading && <Waiting />}
      <ul class="plain">
        {list.rows.map((l) => (
          <li>
            <code>{l.eventId?.slice(0, 16)}</code> {l.attempts} times, first <Time at={l.firstAttemptTime} />, last <Time at={l.lastAttemptTime} />: <Value value={l.reason ?? ""} copy={false} />
          </li>
        ))}
      </ul>
      {list.more && (
        <button type="button" onClick={list.more}>
          Load more
        </button>
      )}
    </>
  );
}

function NewWebhook({ made }: { made: (secret: string) => void }) {
  const [all, setAll] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const make = async (form: HTMLFormElement) => {
    const f = new Fields(form);
    setBusy(true);
    setProblem(undefined);
    try {
      const body: Webhook = {
        name: f.text("name"),
        url: f.text("url"),
        minTier: f.text("minTier") as Schemas["Tier"],
        ...(all ? { allTenants: true } : { tenants: f.list("tenants", true) }),
      };
      const answer = await answered(service.api.POST("/v1/webhooks", { body }));
      form.reset();
      made(answer.secret ?? "");
    } catch (e) {
      setProblem(problemFrom(e));
    }
    setBusy(false);
  };
  return (
    <details>
      <summary>New webhook</summary>
      <form
        class="form"
        onSubmit={(e) => {
          e.preventDefault();
          void make(e.currentTarget);
        }}
      >
        <label for="hook-name">Name</label>
        <input id="hook-name" name="name" autocomplete="off" />
        <label for="hook-url">Address</label>
        <input id="hook-url" name="url" type="url" required placeholder="https://…" spellcheck={false} />
        <label for="hook-tier">Links from</label>
        <select id="hook-tier" name="minTier">
          {listedTiers.map((t) => (
            <option value={t} selected={t === "TIER_POSSIBLE"}>
              {tierNames[t]}
            </option>
          ))}
        </select>
        <span>All tenants</span>
        <label>
          <input type="checkbox" checked={all} onChange={() => setAll(!all)} /> every tenant, also later ones
        </label>
        {!all && (
          <>
            <label for="hook-tenants">Both cases in</label>
            <input id="hook-tenants" name="tenants" required placeholder="ids of tenants" spellcheck={false} />
          </>
        )}
        <p>
          <button type="submit" disabled={busy}>
            Create
          </button>
        </p>
        {problem && <ProblemBox problem={problem} />}
      </form>
    </details>
  );
}
