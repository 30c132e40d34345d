"""Parameters of OpenAI's formats that are known to change nothing about what is billed beyond tokens in and out.

Others are refused by name: a new parameter may name another model or a dearer host, run something at the provider, reach
what its account keeps, or have a price of its own. What one provider alone documents stands in its row (`profile_table`).
"""

# How tokens are drawn, under the names of OpenAI and of the engines that serve open models (vLLM, SGLang, TGI,
# llama.cpp). Those that make more than is asked for (beams), set a cap of their own, take code, name a place in the
# engine or overtake other callers are not among them.
SAMPLING = frozenset(
    {"temperature", "top_p", "top_k", "top_a", "min_p", "typical_p", "stop", "seed", "frequency_penalty"}
    | {"presence_penalty", "repetition_penalty", "repeat_penalty", "length_penalty", "logit_bias", "logprobs"}
    | {"top_logprobs", "user", "stop_token_ids", "bad_words", "allowed_token_ids", "ignore_eos", "min_tokens"}
    | {"include_stop_str_in_output", "skip_special_tokens", "spaces_between_special_tokens", "add_special_tokens"}
    | {"return_tokens_as_token_ids", "return_token_ids", "truncate_prompt_tokens", "cache_salt", "cache_prompt"}
    | {"guided_json", "guided_regex", "guided_choice", "guided_grammar", "guided_decoding_backend"}
    | {"guided_whitespace_pattern", "structured_outputs", "grammar", "regex", "ebnf", "json_schema"}
    | {"mirostat", "mirostat_tau", "mirostat_eta", "dry_multiplier", "dry_base", "dry_allowed_length"}
    | {"xtc_probability", "xtc_threshold", "dynatemp_range", "dynatemp_exponent", "repeat_last_n", "do_sample"}
)
# Of chats: OpenAI's own ("Create chat completion"), and how thought is asked for elsewhere.
CHAT = SAMPLING | frozenset(
    {"model", "messages", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"}
    | {"response_format", "prediction", "max_completion_tokens", "max_tokens", "n", "stream", "stream_options"}
    | {"modalities", "service_tier", "reasoning_effort", "verbosity", "store", "metadata", "safety_identifier"}
    | {"prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"}
    | {"reasoning", "thinking", "thinking_budget", "enable_thinking", "include_reasoning", "reasoning_format"}
    | {"separate_reasoning", "stream_reasoning", "chat_template_kwargs", "add_generation_prompt"}
    | {"continue_final_message"}
)
COMPLETIONS = SAMPLING | frozenset(
    {"model", "prompt", "max_tokens", "n", "stream", "stream_options", "echo", "suffix", "service_tier"}
)
NEW = "the gateway does not know what it costs or reaches. Leave it out."
