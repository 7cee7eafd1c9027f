/** The experiments page. */

import "./styles/tokens.css";
import { el } from "./lib/dom";
import { brandAndTabs } from "./view/topbar";

document.getElementById("app")?.append(el("header", { class: "topbar" }, ...brandAndTabs("experiments")));
