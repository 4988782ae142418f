import { caseHref, href } from "../../app/route.ts";
import { Time } from "../../ui/time.tsx";
import { Value } from "../../ui/value.tsx";
import type { PictureNode } from "./build.ts";
import type { Composed } from "./compose.ts";
import { caseId } from "./facts.ts";
import { labelText } from "./file.ts";
import type { Study } from "./study.ts";

/** Neighbours that are named at most. */
const namedMost = 100;

/** What is known of the selected case or value. */
export function Beside({ node, composed, study, isOpen, toggle }: {
  node: PictureNode | undefined;
  composed: Composed;
  study: Study;
  isOpen: boolean;
  toggle: (id: string) => void;
}) {
  if (!node) {
    return (
      <aside class="beside" aria-label="Selected" aria-live="polite">
        <p class="muted">Select a case or a value. Enter or a double click shows what else hangs on it.</p>
      </aside>
    );
  }
  return (
    <aside class="beside" aria-label="Selected" aria-live="polite">
      {node.sort === "case" ? <CaseFactsOf node={node} study={study} /> : <ValueFactsOf node={node} study={study} />}
      <p>
        <button type="button" aria-pressed={isOpen} onClick={() => toggle(node.id)}>
          {isOpen ? "Close what hangs on it" : node.sort === "case" ? "Show its other values" : "Show where else it was seen"}
        </button>
      </p>
      <Neighbours node={node} composed={composed} />
    </aside>
  );
}

function CaseFactsOf({ node, study }: { node: PictureNode; study: Study }) {
  const c = study.gathered.cases.find((c) => caseId(c.ref) === node.id);
  return (
    <>
      <h3>
        <a href={caseHref(node.label)}>{node.label}</a>
      </h3>
      {c?.title && <p>{<Value value={c.title} copy={false} />}</p>}
      <dl class="facts">
        <Seen node={node} />
        {node.outside && (
          <>
            <dt>Actor</dt>
            <dd>not among the cases of this actor</dd>
          </>
        )}
        {c?.tlp && (
          <>
            <dt>Label</dt>
            <dd>{labelText(c.tlp)}</dd>
          </>
        )}
        {c && c.techniques.length > 0 && (
          <>
            <dt>ATT&amp;CK</dt>
            <dd>{c.techniques.join(" ")}</dd>
          </>
        )}
      </dl>
    </>
  );
}

function ValueFactsOf({ node, study }: { node: PictureNode; study: Study }) {
  const known = study.classes.get(node.id);
  const roles = new Set(study.gathered.cases.flatMap((c) => c.values.filter((v) => v.kind === node.kind && v.value === node.label).flatMap((v) => v.roles)));
  return (
    <>
      <h3>
        <Value value={node.label} />
      </h3>
      <dl class="facts">
        <dt>Kind</dt>
        <dd>{node.kind}</dd>
        <dt>Class</dt>
        <dd>{node.class.replaceAll("_", " ") || "none"}</dd>
        {node.generic && (
          <>
            <dt>Generic</dt>
            <dd>{known?.genericReason || "too common to say anything"}</dd>
          </>
        )}
        {roles.size > 0 && (
          <>
            <dt>Roles</dt>
            <dd>{[...roles].toSorted().join(", ").replaceAll("_", " ")}</dd>
          </>
        )}
        <Seen node={node} />
      </dl>
      <p>
        <a href={href(["seen"], { q: node.label })}>Seen elsewhere?</a>
      </p>
    </>
  );
}

function Seen({ node }: { node: PictureNode }) {
  if (node.first === undefined) return null;
  return (
    <>
      <dt>Seen</dt>
      <dd>
        <Time at={new Date(node.first).toISOString()} /> to <Time at={new Date(node.last ?? node.first).toISOString()} />
      </dd>
    </>
  );
}

function Neighbours({ node, composed }: { node: PictureNode; composed: Composed }) {
  const ids = new Set(composed.edges.filter((e) => e.sort === "has" && (e.from === node.id || e.to === node.id)).map((e) => (e.from === node.id ? e.to : e.from)));
  const all = composed.nodes.filter((n) => ids.has(n.id));
  if (all.length === 0) return null;
  return (
    <>
      <h4>
        {node.sort === "case" ? "Values" : "Cases"} <span class="muted">{all.length}</span>
      </h4>
      <ul class="plain">
        {all.slice(0, namedMost).map((n) => (
          <li>{n.sort === "case" ? <a href={caseHref(n.label)}>{n.label}</a> : <><span class="muted">{n.kind}</span> <Value value={n.label} most={60} /></>}</li>
        ))}
        {all.length > namedMost && <li class="muted">and {all.length - namedMost} more</li>}
      </ul>
    </>
  );
}
