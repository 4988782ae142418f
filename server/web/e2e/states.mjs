// Every part of the page, as a state that shows something.

/** The states of every part, by name, for who sees everything. */
export async function states(t, role) {
  const { actors } = await t.ask(role, "GET", "/v1/actors");
  const [a, b] = t.published;
  return {
    seen: "#/seen",
    search: "#/seen?q=104.161.20.102+20.232.202.245+185.241.149.122",
    cases: "#/cases",
    case: `#/cases/${a}`,
    link: `#/links/${a}/${b}`,
    "no link": "#/links/cedar/gmail/dogwood/gmail",
    actors: "#/actors",
    actor: `#/actors/${actors[0]?.id ?? ""}`,
    new: "#/new",
    tenants: "#/tenants",
    keys: "#/keys",
    feeds: "#/feeds",
    model: "#/model",
    audit: "#/audit",
    health: "#/health",
    "no part": "#/nothing/here",
  };
}
