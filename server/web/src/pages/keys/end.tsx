import { useState } from "preact/hooks";
import { answered, type Schemas, service } from "../../app/service.ts";
import { Confirm } from "../../ui/confirm.tsx";

type Key = Schemas["Key"];

/** How long the old secret may be taken too, in seconds. */
const overlaps: readonly (readonly [string, string])[] = [
  ["", "not at all"],
  ["3600s", "an hour"],
  ["86400s", "a day"],
  ["604800s", "a week"],
  ["2592000s", "30 days"],
];

/** Gives a key a new secret. */
export function Rotate({ of, made, close }: { of: Key; made: (what: string, secret: string) => void; close: () => void }) {
  const [overlap, setOverlap] = useState("86400s");
  const act = async () => {
    const body = overlap ? { overlap } : {};
    const answer = await answered(service.api.POST("/v1/keys/{key}/rotate", { params: { path: { key: of.id ?? "" } }, body }));
    made(`The new secret of ${of.prefix ?? ""}…`, answer.secret ?? "");
  };
  return (
    <Confirm title={`Rotate ${of.prefix}…?`} verb="Rotate it" act={act} close={close}>
      <p>
        <label>
          The old secret is taken besides:{" "}
          <select value={overlap} onChange={(e) => setOverlap(e.currentTarget.value)}>
            {overlaps.map(([seconds, text]) => (
              <option value={seconds}>{text}</option>
            ))}
          </select>
        </label>
      </p>
    </Confirm>
  );
}

/** Ends a key at once. */
export function Revoke({ of, own, done, close }: { of: Key; own: boolean; done: () => void; close: () => void }) {
  const act = async () => {
    await answered(service.api.POST("/v1/keys/{key}/revoke", { params: { path: { key: of.id ?? "" } }, body: {} }));
    done();
  };
  return (
    <Confirm title={`Revoke ${of.prefix}…?`} verb="Revoke it" act={act} close={close}>
      <p>It ends at once, for good, and with it the streams that were opened with it{of.name ? `: ${of.name}` : ""}.</p>
      {own && <p class="state bad">It is the key that you are signed in with.</p>}
    </Confirm>
  );
}
