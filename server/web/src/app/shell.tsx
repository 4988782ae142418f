import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { ProblemBox, Waiting } from "../ui/state.tsx";
import { visible } from "../ui/value.tsx";
import { Help } from "./help.tsx";
import { useHotkeys } from "./hotkeys.ts";
import { SignIn } from "./signin.tsx";
import { places } from "./places.tsx";
import { go, href, useRoute } from "./route.ts";
import { session } from "./session.ts";
import { chooseTheme, nextTheme, readTheme, type Theme } from "./theme.ts";
import { type Who, useWho } from "./who.ts";

/** The frame around every part of the page: who is signed in, where one is, search and help. */
export function Shell() {
  const route = useRoute();
  const who = useWho();
  const [help, setHelp] = useState(false);
  const [theme, setTheme] = useState<Theme>(readTheme);
  const search = useRef<HTMLInputElement>(null);
  const main = useRef<HTMLElement>(null);
  useHotkeys(
    [
      { key: "/", help: "search: seen elsewhere?", run: () => search.current?.focus() },
      { key: "?", help: "this help", run: () => setHelp(true) },
    ],
    [],
  );
  const recolour = () => {
    const next = nextTheme(theme);
    chooseTheme(next);
    setTheme(next);
  };
  const at = route.path[0] ?? "seen";
  const mine = who.data ? places.filter((p) => mayOpen(p.roles, who.data)) : [];
  const place = places.find((p) => p.at === at);
  const title = place?.name && route.path.length <= 1 ? place.name : route.path.join(" · ");
  useLayoutEffect(() => {
    document.title = title ? `${visible(title)} · Elsewhere` : "Elsewhere";
  }, [title]);
  useLayoutEffect(() => main.current?.focus({ preventScroll: true }), [at]);
  return (
    <>
      <a class="skip" href="#main" onClick={(e) => (e.preventDefault(), main.current?.focus())}>
        Skip to content
      </a>
      <header class="top">
        <a class="brand" href="#/seen">
          Elsewhere
        </a>
        <nav aria-label="Parts">
          {mine
            .filter((p) => p.name)
            .map((p) => (
              <a href={href([p.at])} aria-current={p.at === at ? "page" : undefined}>
                {p.name}
              </a>
            ))}
        </nav>
        {mine.some((p) => p.at === "seen") && at !== "seen" && (
          <form
            role="search"
            onSubmit={(e) => {
              e.preventDefault();
              const text = search.current?.value.trim();
              if (text) go(href(["seen"], { q: text }));
            }}
          >
            <input ref={search} type="search" placeholder="Seen elsewhere?  /" aria-label="Seen elsewhere?" autocomplete="off" spellcheck={false} />
          </form>
        )}
        <div class="tools">
          {who.data?.keyId && (
            <span class="who" title={`${who.data.keyPrefix}, ${who.data.allTenants ? "all tenants" : who.data.tenants.join(", ") || "no tenants"}`}>
              {whoIs(who.data)}
            </span>
          )}
          <button type="button" class="quiet" onClick={recolour} title={`Colours: ${theme}`} aria-label={`Colours: ${theme}. Change`}>
            {theme === "dark" ? "☾" : theme === "light" ? "☀" : "◐"}
          </button>
          <button type="button" class="quiet" onClick={() => setHelp(true)} title="Help (?)" aria-label="Help">
            ?
          </button>
          {who.data?.keyId && (
            <button type="button" class="quiet" onClick={() => void session.leave().catch(() => who.again())}>
              Sign out
            </button>
          )}
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        {who.problem?.status === 401 ? (
          <SignIn refused={session.key() !== undefined ? who.problem : undefined} />
        ) : who.problem ? (
          <ProblemBox problem={who.problem} again={who.again} />
        ) : !who.data ? (
          <Waiting />
        ) : !place ? (
          <p class="nothing">There is no such part of the page. <a href="#/seen">Seen elsewhere?</a></p>
        ) : !mayOpen(place.roles, who.data) ? (
          <p class="nothing">This part is not for the role of your key.</p>
        ) : (
          <place.page route={route.path.length ? route : { ...route, path: ["seen"] }} key={at} />
        )}
      </main>
      {help && <Help close={() => setHelp(false)} />}
    </>
  );
}

/** What people call who is signed in. */
function whoIs(who: Who): string {
  return `${who.keyName || who.keyPrefix}, ${(who.role ?? "").replace("ROLE_", "").toLowerCase()}`;
}

function mayOpen(roles: readonly string[], who: Who | undefined): boolean {
  return who !== undefined && (who.role === undefined || roles.includes(who.role));
}
