import { caseHref, go, keep, linkHref } from "../../app/route.ts";
import { answered, type Schemas, service } from "../../app/service.ts";
import type { Who } from "../../app/who.ts";
import { bits } from "../../ui/bits.ts";
import { usePages } from "../../ui/pages.ts";
import { type Column, Rows } from "../../ui/rows.tsx";
import { Nothing, ProblemBox, Waiting } from "../../ui/state.tsx";
import { Likelihood, listedTiers, TierBadge, tierNames } from "../../ui/tier.tsx";
import { Time } from "../../ui/time.tsx";
import { visible } from "../../ui/value.tsx";

type Link = Schemas["Link"];

/** The links of a case, best first. */
export function CaseLinks({ tenant, id, who, query }: { tenant: string; id: string; who: Who; query: URLSearchParams }) {
  const minTier = listedTiers.find((t) => tierNames[t] === query.get("tier")) ?? "TIER_POSSIBLE";
  const same = query.get("same") !== null;
  const refuted = query.get("refuted") !== null;
  const list = usePages(
    async (pageToken, signal) => {
      const page = await answered(
        service.api.GET("/v1/cases/{tenant}/{case}/links", {
          params: {
            path: { tenant, case: id },
            query: { minTier, includeSameTenant: same, includeRefuted: refuted, pageSize: 100, ...(pageToken ? { pageToken } : {}) },
          },
          signal,
        }),
      );
      return { rows: page.links ?? [], next: page.nextPageToken ?? "" };
    },
    [tenant, id, minTier, same, refuted, who.keyId],
  );
  const ref = `${tenant}/${id}`;
  return (
    <>
      <div class="bar-row">
        <label for="of-tier">From tier</label>
        <select id="of-tier" value={minTier} onChange={(e) => keep({ tier: tierNames[e.currentTarget.value as Schemas["Tier"]] })}>
          {listedTiers.map((t) => (
            <option value={t}>{tierNames[t]}</option>
          ))}
        </select>
        <label>
          <input type="checkbox" checked={same} onChange={(e) => keep({ same: e.currentTarget.checked ? "1" : undefined })} /> same tenant
        </label>
        <label>
          <input type="checkbox" checked={refuted} onChange={(e) => keep({ refuted: e.currentTarget.checked ? "1" : undefined })} /> refuted
        </label>
      </div>
      {list.problem && <ProblemBox problem={list.problem} />}
      {list.rows.length > 0 ? (
        <LinkRows of={ref} links={list.rows} more={list.more} label={`Links of ${ref} from ${minTier} ${same} ${refuted}`} />
      ) : list.loading ? (
        <Waiting />
      ) : (
        !list.problem && <Nothing>No such links. From a lower tier there may be some.</Nothing>
      )}
    </>
  );
}

/** Links of one case with the likelihood of each. */
export function LinkRows({ of, links, more, label }: { of: string; links: readonly Link[]; more?: (() => void) | undefined; label: string }) {
  const other = (l: Link) => (l.a === of ? (l.b ?? "") : (l.a ?? ""));
  const columns: Column<Link>[] = [
    {
      name: "other case",
      cell: (l) => (
        <a href={linkHref(of, other(l))}>
          <bdi>{visible(other(l))}</bdi>
        </a>
      ),
      by: other,
    },
    { name: "likelihood", cell: (l) => <Likelihood value={l.likelihood} model={l.modelVersion ?? 0} />, by: (l) => -(l.likelihood ?? 0) },
    { name: "tier", cell: (l) => <TierBadge tier={l.tier} review={l.review ?? "REVIEW_UNSPECIFIED"} held={l.held ?? false} />, by: (l) => l.tier ?? "" },
    { name: "bits", cell: (l) => bits(l.totalMillibits ?? 0), by: (l) => -(l.totalMillibits ?? 0), num: true, wide: true },
    { name: "shared", cell: (l) => l.sharedCount ?? 0, by: (l) => -(l.sharedCount ?? 0), num: true },
    { name: "tenant", cell: (l) => (l.sameTenant ? "same" : "other"), by: (l) => String(l.sameTenant), wide: true },
    { name: "since", cell: (l) => <Time at={l.firstLinkedAt} day />, by: (l) => l.firstLinkedAt ?? "", wide: true },
    { name: "open", cell: (l) => <a href={caseHref(other(l))}>case</a>, wide: true },
  ];
  return <Rows rows={links} columns={columns} id={(l) => l.ref ?? ""} open={(l) => go(linkHref(of, other(l)))} label={label} more={more} />;
}
