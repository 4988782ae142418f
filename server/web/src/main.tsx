import { render } from "preact";
import { Shell } from "./app/shell.tsx";
import "./app/app.css";

const page = document.getElementById("page");
if (page) render(<Shell />, page);
