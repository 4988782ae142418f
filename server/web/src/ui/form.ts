/** What stands in a form, by the names of its fields. */
export class Fields {
  private readonly data: FormData;

  constructor(form: HTMLFormElement) {
    this.data = new FormData(form);
  }

  /** A text without white space around it. */
  text(name: string): string {
    const v = this.data.get(name);
    return typeof v === "string" ? v.trim() : "";
  }

  /** Lines without empty ones; with `parted` also what commas and white space part. */
  list(name: string, parted = false): string[] {
    return this.text(name).split(parted ? /[\s,]+/ : /\n/).map((p) => p.trim()).filter((p) => p !== "");
  }

  /** A number; undefined where the field is empty. */
  number(name: string): number | undefined {
    const t = this.text(name);
    return t === "" ? undefined : Number(t);
  }

  /** Whether a box is ticked. */
  on(name: string): boolean {
    return this.data.get(name) !== null;
  }
}
