import type { NodeGroup, Shape } from "./groups.ts";

/** What shapes and colours of the picture mean. */
export function Legend({ groups, links }: { groups: readonly NodeGroup[]; links: boolean }) {
  return (
    <ul class="legend" aria-label="Legend">
      {groups.map((g) => (
        <li>
          <svg viewBox="0 0 16 16" class={`series-${g.colour} ${g.sort}`} aria-hidden="true">
            {outline(g.shape)}
          </svg>
          {g.name} <span class="muted">{g.count.toLocaleString("en")}</span>
        </li>
      ))}
      {links && (
        <>
          <li>
            <svg viewBox="0 0 16 16" class="link" aria-hidden="true">
              <path d="M0 8h16" />
            </svg>
            strong link
          </li>
          <li>
            <svg viewBox="0 0 16 16" class="link weak" aria-hidden="true">
              <path d="M0 8h16" />
            </svg>
            weaker link
          </li>
        </>
      )}
    </ul>
  );
}

function outline(shape: Shape) {
  const points: Record<Exclude<Shape, "ellipse">, string> = {
    rectangle: "2,2 14,2 14,14 2,14",
    triangle: "8,2 14.5,14 1.5,14",
    diamond: "8,1 15,8 8,15 1,8",
    pentagon: "8,1.5 14.7,6.4 12.1,14.2 3.9,14.2 1.3,6.4",
    hexagon: "4.5,2 11.5,2 15,8 11.5,14 4.5,14 1,8",
    star: "8,1 10,6 15.3,6 11,9.3 12.6,14.5 8,11.4 3.4,14.5 5,9.3 0.7,6 6,6",
    tag: "1.5,3 10,3 14.5,8 10,13 1.5,13",
  };
  return shape === "ellipse" ? <circle cx="8" cy="8" r="6.5" /> : <polygon points={points[shape]} />;
}
