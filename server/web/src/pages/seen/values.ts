import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { go, href, parseRoute, type Route } from "../../app/route.ts";
import { extract, type Extraction } from "./find/extract.ts";
import { type Item, longAddress, maxAddress, once, pack, readItems, unpack, writeItems } from "./state.ts";

/** The values that the page shows, which its address has too. */
export interface Values {
  items: readonly Item[];
  /** What the text was like that they were found in; undefined when they came with the address. */
  text: Extraction | undefined;
  /** What is to be said of the address. */
  note: string;
  /** Changes with every text: what is asked for again is asked for anew. */
  texts: number;
  /** An address is being read. */
  reading: boolean;
  /** Takes the values of a text. */
  take: (text: string) => void;
  /** Takes lines without a form for names of mail rules. */
  takeNames: () => void;
  /** Changes the values; the step before is behind the browser's back button. */
  change: (to: (items: readonly Item[]) => Item[]) => void;
}

/** Keeps values and address the same, whichever changes. */
export function useValues(route: Route): Values {
  const [items, setItems] = useState<readonly Item[]>([]);
  const [text, setText] = useState<Extraction>();
  const [note, setNote] = useState("");
  const [reading, setReading] = useState(false);
  const [texts, another] = useState(0);
  const written = useRef<string | null>(null);
  const turn = useRef(0);
  const v = route.query.get("v");
  const q = route.query.get("q");

  const put = async (next: Item[]) => {
    const mine = ++turn.current;
    setItems(next);
    const packed = next.length === 0 ? "" : await pack(writeItems(next));
    if (mine !== turn.current) return;
    const fits = packed.length <= maxAddress;
    written.current = fits && packed !== "" ? packed : null;
    setNote(addressNote(packed.length));
    const r = parseRoute(location.hash);
    const query = { ...Object.fromEntries(r.query), q: undefined, open: undefined, v: written.current ?? undefined };
    go(href(["seen"], query));
  };

  // Who has gone on to another part is not brought back by an address that is ready late.
  useLayoutEffect(() => () => void turn.current++, []);
  useLayoutEffect(() => {
    if (q !== null && v === null) {
      // The address has them already, as the search box of another part wrote it.
      const e = extract(q);
      turn.current++;
      written.current = null;
      setText(e);
      setNote("");
      setItems(itemsOf(e));
      return;
    }
    // Also where there are too many values for an address: they stay while the page is open.
    if (v === written.current) return;
    const mine = ++turn.current;
    written.current = v;
    setText(undefined);
    setNote(addressNote(v?.length ?? 0));
    if (v === null) {
      setItems([]);
      return;
    }
    setReading(true);
    void unpack(v).then((lines) => {
      if (mine !== turn.current) return;
      setReading(false);
      if (lines === undefined) setNote("The values in this address cannot be read: it may have been cut where it was passed on.");
      else setItems(readItems(lines));
    });
  }, [v, q]);

  return {
    items,
    text,
    note,
    texts,
    reading,
    take: (raw) => {
      const e = extract(raw);
      setText(e);
      another((n) => n + 1);
      void put(itemsOf(e));
    },
    takeNames: () => {
      const names = (text?.names ?? []).map((value) => ({ kind: "", guess: "rule_name", value, part: false, times: 1 }));
      setText(text && { ...text, names: [] });
      void put(once([...items, ...names]));
    },
    change: (to) => void put(to(items)),
  };
}

function addressNote(length: number): string {
  if (length > maxAddress) return "These are too many values for an address: it does not hold them, and a reload loses them. Export them, or ask for fewer.";
  if (length > longAddress) return `The address of this page holds the values and has ${length.toLocaleString("en")} characters: some programs cut it when it is passed on.`;
  return "";
}

function itemsOf(e: Extraction): Item[] {
  return e.found.map((f) => ({ kind: f.given ? f.kind : "", guess: f.kind, value: f.value, part: f.part, times: f.times }));
}
