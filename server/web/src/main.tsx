import { render } from "preact";
import { Shell } from "./app/shell.tsx";
import { readTheme, showTheme } from "./app/theme.ts";
import "./app/app.css";

// Before anything is drawn, so that nothing is drawn in other colours first.
showTheme(readTheme());
const page = document.getElementById("page");
if (page) render(<Shell />, page);
