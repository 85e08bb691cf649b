/**
 * @module The Worker that holds an engine: everything that computes happens here.
 */

import { type EngineSettings, openEngine } from "../presets/open-engine.ts"
import { endpointOf } from "../serve/endpoint.ts"
import { engineHost } from "../serve/engine-host.ts"

engineHost(endpointOf(globalThis as never), (settings) => openEngine(settings as EngineSettings))
