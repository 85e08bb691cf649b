/**
 * @module The Worker that holds an engine: everything that computes happens here.
 */
import { hostEngine } from "../presets/engine-thread.ts"
import { type EngineSettings, openEngine } from "../presets/open-engine.ts"

hostEngine((settings, readLaid) => openEngine(settings as EngineSettings, readLaid))
