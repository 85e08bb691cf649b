/**
 * @module onnxruntime-node in a page, where it isn't: `webgpu` looks for it where the browser has no WebGPU.
 */
export const InferenceSession = {
  create: async (): Promise<never> => {
    throw new Error("this browser has no WebGPU")
  },
}
