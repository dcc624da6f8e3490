"""What the providers' SDKs know. Written by `body_guard.builtin_rules.schema_update`."""

from __future__ import annotations

from typing import Final

from body_guard.builtin_rules.schema import Provider, Schema, Shape

__all__ = ["SCHEMAS"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


SCHEMAS: Final[dict[Provider, tuple[Schema, ...]]] = {
    "anthropic": (
        Schema(
            sdk="anthropic",
            version="2.12.0",
            shapes={
                "messages": Shape(
                    root=_names(
                        """
                        betas billing_policy cache_control compaction container context_management
                        diagnostics fallback_credit_token fallbacks inference_geo max_tokens
                        mcp_servers messages metadata model output_config output_format service_tier
                        speed stop_sequences stream system thinking thread tool_choice tools
                        user_profile_id workspace_id
                        """
                    ),
                    element=_names(
                        """
                        clear_at content output_config role
                        """
                    ),
                ),
            },
            metadata=_names(
                """
                user_id
                """
            ),
        ),
    ),
    "openai": (
        Schema(
            sdk="openai",
            version="2.54.0",
            shapes={
                "input": Shape(
                    root=_names(
                        """
                        background context_management conversation dimensions encoding_format
                        include input instructions max_output_tokens max_tool_calls metadata model
                        moderation parallel_tool_calls personality previous_response_id prompt
                        prompt_cache_key prompt_cache_options prompt_cache_retention reasoning
                        response_format safety_identifier service_tier speed store stream
                        stream_format stream_options temperature text tool_choice tools top_logprobs
                        top_p truncation user voice
                        """
                    ),
                    element=_names(
                        """
                        acknowledged_safety_checks action actions approval_request_id approve
                        arguments call_id caller code container_id content encrypted_content
                        environment error execution fingerprint id image_url input max_output_length
                        name namespace operation output outputs pending_safety_checks phase queries
                        reason result results role server_label status summary text tools type
                        """
                    ),
                ),
                "messages": Shape(
                    root=_names(
                        """
                        audio frequency_penalty function_call functions logit_bias logprobs
                        max_completion_tokens max_tokens messages metadata modalities model
                        moderation n parallel_tool_calls prediction presence_penalty
                        prompt_cache_key prompt_cache_options prompt_cache_retention
                        reasoning_effort response_format safety_identifier seed service_tier stop
                        store stream stream_options temperature tool_choice tools top_logprobs top_p
                        user verbosity web_search_options
                        """
                    ),
                    element=_names(
                        """
                        audio content function_call name refusal role tool_call_id tool_calls
                        """
                    ),
                ),
                "prompt": Shape(
                    root=_names(
                        """
                        audio background best_of chunking_strategy context_management conversation
                        echo file frequency_penalty image include input input_fidelity
                        input_reference instructions keywords known_speaker_names
                        known_speaker_references language languages logit_bias logprobs mask
                        max_output_tokens max_tokens max_tool_calls metadata model moderation n
                        output_compression output_format output_modalities parallel_tool_calls
                        partial_images presence_penalty previous_response_id prompt prompt_cache_key
                        prompt_cache_options prompt_cache_retention quality reasoning
                        response_format safety_identifier seconds seed service_tier size stop store
                        stream stream_options style suffix temperature text timestamp_granularities
                        tool_choice tools top_logprobs top_p tracing truncation type user video
                        """
                    ),
                    element=frozenset(),
                ),
            },
            metadata=None,
        ),
        Schema(
            sdk="openai",
            version="3.54.0",
            shapes={
                "input": Shape(
                    root=_names(
                        """
                        access_programs background background_options context_management
                        conversation dimensions encoding_format image include input instructions
                        max_output_tokens max_tool_calls metadata model moderation
                        parallel_tool_calls personality previous_response_id prompt prompt_cache_key
                        prompt_cache_options prompt_cache_retention questions reasoning
                        response_format safety_identifier service_tier speed store stream
                        stream_format stream_options temperature text tool_choice tools top_logprobs
                        top_p truncation user voice
                        """
                    ),
                    element=_names(
                        """
                        acknowledged_safety_checks action actions approval_request_id approve
                        arguments async background call_id caller code container_id content
                        encrypted_content environment error execution fingerprint id image_url input
                        max_output_length name namespace operation output output_format outputs
                        pending_safety_checks phase quality queries reason reasoning result results
                        revised_prompt role server_label size status summary svg_usage text tools
                        type
                        """
                    ),
                ),
                "messages": Shape(
                    root=_names(
                        """
                        audio frequency_penalty function_call functions logit_bias logprobs
                        max_completion_tokens max_tokens messages metadata modalities model
                        moderation n parallel_tool_calls prediction presence_penalty
                        prompt_cache_key prompt_cache_options prompt_cache_retention
                        reasoning_effort response_format safety_identifier seed service_tier stop
                        store stream stream_options temperature tool_choice tools top_logprobs top_p
                        user verbosity web_search_options
                        """
                    ),
                    element=_names(
                        """
                        audio content function_call name refusal role tool_call_id tool_calls
                        """
                    ),
                ),
                "prompt": Shape(
                    root=_names(
                        """
                        access_programs audio background background_options best_of
                        chunking_strategy complexity context_management conversation echo file
                        frame_count frame_duration_ms frequency_penalty image include input
                        input_fidelity input_reference instructions keywords known_speaker_names
                        known_speaker_references language languages logit_bias logprobs markup mask
                        max_output_tokens max_tokens max_tool_calls metadata model moderation n
                        output_compression output_format output_modalities parallel_tool_calls
                        partial_images presence_penalty previous_response_id prompt prompt_cache_key
                        prompt_cache_options prompt_cache_retention quality reasoning
                        response_format safety_identifier seconds seed service_tier size stop store
                        stream stream_options style suffix svg temperature text
                        timestamp_granularities tool_choice tools top_logprobs top_p tracing
                        truncation type user video
                        """
                    ),
                    element=frozenset(),
                ),
            },
            metadata=None,
        ),
    ),
}
