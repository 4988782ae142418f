import { useLayoutEffect, useState } from "preact/hooks";
import { go, href, type Route } from "../../app/route.ts";
import { useWho } from "../../app/who.ts";
import { ProblemBox, Waiting } from "../../ui/state.tsx";
import { CasePage } from "./case.tsx";
import { CaseList } from "./list.tsx";
import { SubmitPage } from "./submit.tsx";
import "./case.css";

/**
 * Cases: `#/cases` lists them, `#/cases/submit` takes files, `#/cases/TENANT/ID` is one.
 * Files may be dropped on each of these.
 */
export default function Page({ route }: { route: Route }) {
  const who = useWho();
  const [files, setFiles] = useState<readonly File[]>([]);
  const [over, setOver] = useState(false);
  useLayoutEffect(() => {
    const has = (e: DragEvent) => e.dataTransfer?.types.includes("Files") ?? false;
    const drag = (e: DragEvent) => {
      if (!has(e)) return;
      // Without this the browser would open the file in place of the page.
      e.preventDefault();
      setOver(e.type !== "dragleave" || e.relatedTarget !== null);
    };
    const drop = (e: DragEvent) => {
      if (!has(e)) return;
      e.preventDefault();
      setOver(false);
      setFiles([...(e.dataTransfer?.files ?? [])]);
      go(href(["cases", "submit"]));
    };
    const events = ["dragenter", "dragover", "dragleave"] as const;
    for (const name of events) addEventListener(name, drag);
    addEventListener("drop", drop);
    return () => {
      for (const name of events) removeEventListener(name, drag);
      removeEventListener("drop", drop);
    };
  }, []);
  if (!who.data) return who.problem ? <ProblemBox problem={who.problem} again={who.again} /> : <Waiting />;
  const [, tenant, id] = route.path;
  return (
    <div class={over ? "case-page dropping" : "case-page"}>
      {tenant !== undefined && id !== undefined ? (
        <CasePage tenant={tenant} id={id} who={who.data} query={route.query} key={`${tenant}/${id}`} />
      ) : tenant === "submit" ? (
        <SubmitPage files={files} choose={setFiles} query={route.query} />
      ) : (
        <CaseList who={who.data} query={route.query} />
      )}
    </div>
  );
}
