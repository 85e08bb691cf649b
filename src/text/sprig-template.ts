/**
 * @module The embedded base's special tokens and chat template. Roles are single tokens, and content follows a space, so
 * that a word is the same token at the start of a message as inside one. Contents are trimmed: an answer that comes back
 * with its own space in front is the same conversation.
 */

/** Special tokens, whose ids are their places here. */
export const SPRIG_SPECIAL_TOKENS = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"] as const

/** `<|user|> What is this?<|end|><|assistant|> A twig.<|end|>` */
const template =
  "{% for message in messages %}" +
  "{% if message['role'] not in ['system', 'user', 'assistant'] %}{{ raise_exception('Roles are system, user and assistant') }}{% endif %}" +
  "{{ '<|' + message['role'] + '|> ' + message['content'] | trim + '<|end|>' }}" +
  "{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"

/** tokenizer_config.json of the embedded base. */
export const sprigTokenizerConfig = (contextLength: number): Record<string, unknown> => ({
  tokenizer_class: "PreTrainedTokenizerFast",
  add_prefix_space: false,
  clean_up_tokenization_spaces: false,
  eos_token: "<|end|>",
  pad_token: "<|pad|>",
  model_max_length: contextLength,
  chat_template: template,
})
