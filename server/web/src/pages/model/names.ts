import type { Schemas } from "../../app/service.ts";

/** A number with few digits, as people compare parameters: 0.075, 12, 1.3e-7. */
export function figure(n: number | undefined): string {
  if (n === undefined) return "-";
  return Number.isInteger(n) ? n.toLocaleString("en") : String(Number(n.toPrecision(4)));
}

/** What a model's likelihood is called. */
export function calibration(m: Schemas["Model"]): string {
  return m.calibratedReviews ? `calibrated on ${m.calibratedReviews.toLocaleString("en")} judged pairs` : "uncalibrated";
}

/** How much better, in bits a pair, a model is than the one before on pairs held out. */
export function gain(m: Schemas["Model"]): string {
  if (!m.logLossBefore && !m.logLossAfter) return "-";
  const by = (m.logLossBefore ?? 0) - (m.logLossAfter ?? 0);
  return `${figure(m.logLossBefore)} → ${figure(m.logLossAfter)} (${by >= 0 ? "better" : "worse"} by ${figure(Math.abs(by))})`;
}
