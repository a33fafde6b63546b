import { liveLogs } from "./log.js";

liveLogs();
