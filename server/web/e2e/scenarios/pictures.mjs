// Pictures for the README, made with `go test ./server/web -run TestBrowser -screenshots`.
import { states } from "../states.mjs";

const shown = ["search", "case", "link", "actor", "new"];
const sizes = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 800 } };

export async function pictures(t) {
  const all = await states(t, "open");
  for (const [size, window] of Object.entries(sizes)) {
    const page = await t.signedIn("open", "#/feeds", { ...window, touch: size === "phone", motion: false });
    for (const name of shown) {
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        // A picture is drawn in the colours that it is opened with.
        await t.goto(page, "#/feeds");
        await t.goto(page, all[name]);
        await page.evaluate(() => new Promise((r) => requestIdleCallback(r, { timeout: 2_000 })));
        await t.picture(page, `${name}-${colorScheme}-${size}.png`);
      }
    }
  }
}
pictures.pictures = true;
