import { askBeforeSending } from "./dom.js";

askBeforeSending();
