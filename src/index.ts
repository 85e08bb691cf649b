/**
 * @module The library's public names: fine-tuning a base, serving it with its adapters, and adding a method to it.
 */
export { methods } from "../adapters/mod.ts"
export { type ErrorCode, EspalierError, isEspalierError } from "./core/errors.ts"
export { defineMethod, type Method, type MethodDefinition, type PreparedMethod } from "./method.ts"
export { architectures } from "./models/mod.ts"
export { methodEnv } from "./presets/method-env.ts"
export { type OpenBase, openBase } from "./presets/open-base.ts"
export { type EngineSettings, openEngine, openEngineWorker } from "./presets/open-engine.ts"
export { backends, openRuntime } from "./presets/open-runtime.ts"
export { readAdapter } from "./presets/read-adapter.ts"
export type { BackendName, Runtime } from "./runtime/runtime.ts"
export type { EngineApi, GenerateRequest, Generation } from "./serve/engine-api.ts"
export { saveTrained, type Trained } from "./service/save-adapter.ts"
export { createService, type Service } from "./service/service.ts"
export { openTrainingRun, type TrainingRun, type TrainingSettings } from "./service/training-run.ts"
export type { TrainEvent } from "./train/events.ts"
