import cytoscape from "cytoscape";
import { useLayoutEffect, useRef } from "preact/hooks";
import { visible } from "../../ui/value.tsx";
import type { PictureEdge, PictureNode } from "./build.ts";
import type { Grouping } from "./groups.ts";
import { type Paint, readPaint, watchPaint } from "./paint.ts";
import { middle, walk, ways } from "./walk.ts";

/** Beyond so many nodes and edges a moving picture is one texture. */
const manyElements = 1_500;

/** Up to so many nodes all names can be read however small the picture is. */
const namedNodes = 80;

/** Size of names, in pixels. */
const nameSize = 11;

/** A picture of few nodes is not blown up to its frame by more than this. */
const fitZoom = 1.5;

/** What the picture shows and what it tells. */
export interface GraphProps {
  nodes: readonly PictureNode[];
  edges: readonly PictureEdge[];
  /** Places by id. */
  at: ReadonlyMap<string, readonly [x: number, y: number]>;
  grouping: Grouping;
  selected: string;
  select: (id: string) => void;
  /** Shows what hangs on a case or a value. */
  open: (id: string) => void;
  label: string;
}

/**
 * The picture, drawn on a canvas by Cytoscape.js, which needs no graphics card. What it
 * shows stands in tables, too.
 */
export default function Graph(props: GraphProps) {
  const box = useRef<HTMLDivElement>(null);
  const paint = useRef<HTMLSpanElement>(null);
  const held = useRef<cytoscape.Core | null>(null);
  const now = useRef(props);
  now.current = props;
  useLayoutEffect(() => {
    if (!box.current || !paint.current) return;
    const many = props.nodes.length + props.edges.length > manyElements;
    const cy = cytoscape({
      container: box.current,
      layout: { name: "preset" },
      textureOnViewport: many,
      pixelRatio: many ? 1 : "auto",
      boxSelectionEnabled: false,
      autoungrabify: true,
      minZoom: 0.02,
      maxZoom: 6,
    });
    held.current = cy;
    // The wheel scrolls the page until somebody has turned to the picture.
    cy.userZoomingEnabled(false);
    cy.on("tapstart", () => box.current?.focus({ preventScroll: true }));
    cy.on("tap", (e) => now.current.select(e.target === cy ? "" : e.target.isNode() ? e.target.id() : now.current.selected));
    cy.on("dbltap", "node", (e) => now.current.open(e.target.id()));
    const repaint = () => paint.current && cy.style(styles(readPaint(paint.current)));
    repaint();
    cy.on("zoom", () => nameSizes(cy));
    const end = watchPaint(() => {
      repaint();
      nameSizes(cy);
    });
    return () => {
      end();
      held.current = null;
      cy.destroy();
    };
  }, []);
  useLayoutEffect(() => {
    const cy = held.current;
    if (!cy) return;
    const before = cy.nodes().length;
    show(cy, props);
    if (before === 0) fit(cy);
    nameSizes(cy);
  }, [props.nodes, props.edges, props.at, props.grouping]);
  useLayoutEffect(() => {
    const cy = held.current;
    if (cy) mark(cy, props.selected);
  }, [props.selected, props.nodes, props.edges, props.at, props.grouping]);
  const zooms = (on: boolean) => held.current?.userZoomingEnabled(on);
  const steerBy = (key: string) => held.current && steer(held.current, key, props);
  const key = (e: KeyboardEvent) => {
    const cy = held.current;
    if (!cy || e.ctrlKey || e.metaKey || e.altKey) return;
    if (!steer(cy, e.key, props)) return;
    e.preventDefault();
    e.stopPropagation();
  };
  return (
    <div class="graph-box">
      {/* Its presence keeps the library from adding a style element, which the page's policy refuses. */}
      <span id="__________cytoscape_stylesheet" ref={paint} class="paint" hidden />
      <div
        ref={box}
        class="graph"
        tabIndex={0}
        role="application"
        aria-roledescription="graph"
        aria-label={props.label}
        onKeyDown={key}
        onFocus={() => zooms(true)}
        onBlur={() => zooms(false)}
      />
      <div class="graph-tools" role="group" aria-label="Size of the picture">
        <button type="button" aria-label="Larger" title="Larger (+)" onClick={() => steerBy("+")}>
          +
        </button>
        <button type="button" aria-label="Smaller" title="Smaller (-)" onClick={() => steerBy("-")}>
          −
        </button>
        <button type="button" aria-label="Show all" title="Show all (0)" onClick={() => steerBy("0")}>
          ⤢
        </button>
      </div>
    </div>
  );
}

/** Brings what is drawn to what is to be shown; what stays is not touched. */
function show(cy: cytoscape.Core, { nodes, edges, at, grouping }: GraphProps): void {
  const wanted = new Set<string>();
  const fresh: cytoscape.ElementDefinition[] = [];
  cy.batch(() => {
    for (const n of nodes) {
      wanted.add(n.id);
      const [x, y] = at.get(n.id) ?? [0, 0];
      const g = grouping.of(n);
      const data = { id: n.id, label: short(n.label), shape: g.shape, colour: `colour${g.colour}`, size: size(n) };
      const classes = [n.sort, data.colour, n.outside ? "outside" : "", n.generic ? "generic" : ""].filter((c) => c !== "");
      const old = cy.getElementById(n.id);
      if (old.empty()) fresh.push({ group: "nodes", data, position: { x, y }, classes });
      else old.data(data).classes(classes).position({ x, y });
    }
    for (const e of edges) {
      const id = `${e.from} ${e.sort} ${e.to}`;
      wanted.add(id);
      if (cy.getElementById(id).empty()) {
        fresh.push({ group: "edges", data: { id, source: e.from, target: e.to }, classes: [e.sort, e.tier === "TIER_STRONG" || e.tier === "TIER_CONFIRMED" ? "strong" : "weak"] });
      }
    }
    cy.elements().filter((e) => !wanted.has(e.id())).remove();
    cy.add(fresh);
  });
}

/** Brings all into the frame. */
function fit(cy: cytoscape.Core): void {
  cy.fit(undefined, 40);
  if (cy.zoom() > fitZoom) {
    cy.zoom(fitZoom);
    cy.center();
  }
}

/** Keeps the names of few nodes readable in a picture that was made small. */
function nameSizes(cy: cytoscape.Core): void {
  if (cy.nodes().length <= namedNodes) cy.nodes().style("font-size", nameSize / Math.min(1, cy.zoom()));
  else cy.nodes().removeStyle("font-size");
}

/** Shows which node is selected and what hangs on it. */
function mark(cy: cytoscape.Core, id: string): void {
  cy.batch(() => {
    cy.elements(".selected, .near").removeClass("selected near");
    if (id === "") return;
    const n = cy.getElementById(id);
    n.addClass("selected");
    n.connectedEdges().addClass("near").connectedNodes().addClass("near");
  });
}

/** Does what a key says; false where it says nothing. */
function steer(cy: cytoscape.Core, key: string, { selected, select, open }: GraphProps): boolean {
  const way = ways[key];
  if (way) {
    const places = cy.nodes().map((n) => ({ id: n.id(), ...n.position() }));
    const from = places.find((p) => p.id === selected);
    const to = from ? walk(from, way, places) : middle(places);
    if (!to) return true;
    select(to.id);
    const at = cy.getElementById(to.id).renderedPosition();
    const inside = at.x > 20 && at.y > 20 && at.x < cy.width() - 20 && at.y < cy.height() - 20;
    if (!inside) cy.center(cy.getElementById(to.id));
    return true;
  }
  const zoom = (by: number) => cy.zoom({ level: cy.zoom() * by, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } });
  if (key === "+" || key === "=") zoom(1.25);
  else if (key === "-") zoom(0.8);
  else if (key === "0") fit(cy);
  else if (key === "Enter" && selected !== "") open(selected);
  else if (key === "Escape" && selected !== "") select("");
  else return false;
  return true;
}

function size(n: PictureNode): number {
  const of = Math.min(4, Math.log2(1 + n.degree));
  return n.sort === "case" ? 16 + 3 * of : 8 + 2 * of;
}

function short(label: string): string {
  const text = visible(label);
  return text.length > 32 ? text.slice(0, 31) + "…" : text;
}

function styles(p: Paint): cytoscape.StylesheetJson {
  return [
    {
      selector: "node",
      style: {
        width: "data(size)",
        height: "data(size)",
        shape: "data(shape)" as "ellipse",
        label: "data(label)",
        color: p.text,
        "font-size": nameSize,
        "text-background-color": p.back,
        "text-background-opacity": 0.7,
        "font-family": "ui-monospace, monospace",
        "min-zoomed-font-size": 8,
        "text-valign": "bottom",
        "text-margin-y": 2,
        "background-color": p.colours[0] ?? p.text,
        "border-width": 1,
        "border-color": p.back,
      },
    },
    ...p.colours.map((c, i) => ({ selector: `.colour${i}`, style: { "background-color": c } })),
    { selector: ".case", style: { "border-width": 2, "border-color": p.text } },
    { selector: ".outside", style: { "border-style": "dashed", "border-width": 1.5, "border-color": p.text, "background-opacity": 0.45 } },
    { selector: ".generic", style: { "background-opacity": 0.35, "border-color": p.muted } },
    { selector: "edge", style: { width: 1, "curve-style": "haystack", "line-color": p.line } },
    { selector: "edge.link", style: { width: 1, "line-color": p.muted, "line-style": "dashed", opacity: 0.35 } },
    { selector: "edge.link.strong", style: { width: 2, "line-style": "solid" } },
    { selector: "edge.near", style: { width: 2, "line-color": p.accent, opacity: 1 } },
    { selector: "node.selected", style: { "border-width": 4, "border-color": p.accent, "border-style": "solid", "z-index": 10 } },
  ] as cytoscape.StylesheetJson;
}
