/** Millibits as bits with a sign: `+9.000`, `-10.000`. All three decimals stand, so that what is shown adds up. */
export function bits(millibits: number): string {
  const sign = millibits < 0 ? "-" : millibits > 0 ? "+" : "";
  const n = Math.abs(millibits);
  return `${sign}${Math.floor(n / 1000)}.${String(n % 1000).padStart(3, "0")}`;
}

/** A likelihood as the command line writes it: `.989`, `<.001`. */
export function chance(likelihood: number): string {
  const thousandths = Math.floor(likelihood * 1000 + 0.5);
  if (thousandths <= 0) return "<.001";
  return thousandths >= 1000 ? "1.000" : "." + String(thousandths).padStart(3, "0");
}

/** What a likelihood is, for people; never that it is the same actor. */
export function likelihoodOf(model: number, reviews: number): string {
  const fitted = reviews === 0 ? "uncalibrated" : `calibrated on ${reviews} ${reviews === 1 ? "review" : "reviews"}`;
  return `likelihood of same actor (model ${model}, ${fitted})`;
}

/** A small number without needless digits and without a leading zero: `.25`, `2`, `.075`. */
export function small(n: number): string {
  return n >= 1 ? String(Math.round(n * 100) / 100) : String(Number(n.toPrecision(2))).replace(/^0\./, ".");
}
