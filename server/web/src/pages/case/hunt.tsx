import { keep } from "../../app/route.ts";
import { Copy, visible } from "../../ui/value.tsx";
import { huntCommand } from "./logs.ts";

/** Says how a case is made of logs where they lie. The page does not send them, and neither does the command. */
export function Hunt({ logs, unknown, query }: { logs: readonly string[]; unknown: readonly string[]; query: URLSearchParams }) {
  const tenant = query.get("tenant") ?? "";
  const id = query.get("case") ?? "";
  const files = logs.length > 0 ? logs : unknown;
  const command = huntCommand(files, tenant, id);
  return (
    <section class="card hunt" aria-label="Audit logs">
      <h2>{logs.length > 0 ? `${logs.length === 1 ? "An audit log" : `${logs.length} audit logs`}: nothing was sent` : "Not a case: nothing was sent"}</h2>
      <p>
        Evidence never leaves the machine it lies on. This makes a case of it there and submits only what was found, which <code>--preview</code> lists before:
      </p>
      <div class="bar-row">
        <label for="hunt-tenant">Tenant</label>
        <input id="hunt-tenant" value={tenant} onInput={(e) => keep({ tenant: e.currentTarget.value.trim() })} autocomplete="off" spellcheck={false} />
        <label for="hunt-case">Case</label>
        <input id="hunt-case" value={id} onInput={(e) => keep({ case: e.currentTarget.value.trim() })} autocomplete="off" spellcheck={false} />
      </div>
      <p class="command value">
        <code>{visible(command)}</code> <Copy value={command} />
      </p>
      <p class="muted">
        In the folder of {files.length === 1 ? "the file" : "the files"}; a whole folder may be given in place of them. Beside it, where the service is not on this machine,{" "}
        <code>--server HOST:PORT --tls</code>, and the key by <code>--key-file FILE</code>.
      </p>
      {logs.length > 0 && unknown.length > 0 && <p>Neither logs nor cases, and not sent either: {unknown.map(visible).join(", ")}.</p>}
    </section>
  );
}
