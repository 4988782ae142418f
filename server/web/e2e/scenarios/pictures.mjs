// Pictures for the README, made with `go test ./server/web -run TestBrowser -screenshots`.
import { states } from "../states.mjs";

/** What a part shows once it is all there. */
const shown = { search: "main tbody tr", case: "main tbody tr, main li", link: "main svg", actor: "main [role=application]", new: 'main a[href^="#/links/"]' };
const sizes = { desktop: { width: 1200, height: 720 }, phone: { width: 390, height: 800 } };

export async function pictures(t) {
  const all = await states(t, "open");
  for (const [size, window] of Object.entries(sizes)) {
    const page = await t.signedIn("open", "#/feeds", { ...window, touch: size === "phone", motion: false });
    for (const [name, whole] of Object.entries(shown)) {
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        // A picture is drawn in the colours that it is opened with.
        await t.goto(page, "#/feeds");
        await t.goto(page, all[name]);
        await page.locator(whole).first().waitFor();
        // A graph takes its places.
        await page.waitForTimeout(1_000);
        await t.picture(page, `${name}-${colorScheme}-${size}.png`);
      }
    }
  }
}
pictures.pictures = true;
