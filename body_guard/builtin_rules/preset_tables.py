"""The presets that a policy has to ask for: a row per thing to catch, with owner and evidence.

A row says where its names are bookkeeping. Outside of that place they may be anybody's: litellm's
own internal names include ``id``, ``tags`` and ``headers``, and strippers that went by the name
alone have deleted a tool's property named ``pattern``. So every row stays out of the zones where
names are an application's own, and none reaches what is put into a body on purpose: trace headers
in MCP's ``_meta`` and in ``tools[].headers`` are meant for the server that reads them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from body_guard.builtin_rules.sentry import SENTRY
from body_guard.core.rule import Rule

if TYPE_CHECKING:
    from body_guard.builtin_rules.preset_names import PresetName

__all__ = ["PRESETS"]

_ROOT: Final = ("/",)
#: What stands in metadata itself, and not deeper: for names that are ordinary words.
_METADATA: Final = ("/metadata", "/litellm_metadata")
_METADATA_BELOW: Final = ("/metadata/**", "/litellm_metadata/**")
_MESSAGES: Final = ("/messages/*",)
_ANYWHERE: Final = ("**",)

_LITELLM_ISSUES: Final = "https://github.com/BerriAI/litellm/issues"
_LITELLM_PULLS: Final = "https://github.com/BerriAI/litellm/pull"
_LITELLM_PARAMS: Final = "litellm/types/utils.py: all_litellm_params, 1.106.2 and 1.109.1"
_LANGCHAIN_ISSUES: Final = "https://github.com/langchain-ai/langchain/issues"


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_LITELLM: Final = (
    Rule(
        name="litellm",
        prefixes=("_litellm_", "litellm_"),
        scope=(*_ROOT, *_METADATA_BELOW),
        protect=True,
        owner="litellm",
        evidence=f"{_LITELLM_ISSUES}/30544",
    ),
    Rule(
        name="litellm-user-api-key",  # hashes of virtual keys, names and e-mail addresses
        keys=_names("user_api_key user_api_end_user_max_budget global_max_parallel_requests"),
        prefixes=("user_api_key_",),
        scope=(*_ROOT, *_METADATA_BELOW),
        protect=True,
        owner="litellm",
        evidence=f"{_LITELLM_ISSUES}/9104",
    ),
    Rule(
        name="litellm-metadata",
        keys=_names(
            """
            api_base attempted_fallbacks attempted_retries caching_groups client_disconnected
            deployment deployment_model_name endpoint error_information guardrail_config guardrails
            headers hidden_params internal_call_origin model_group model_group_alias
            model_group_size model_info original_model_group previous_models proxy_server_request
            request_retry_count requester_custom_headers requester_ip_address requester_metadata
            routing_decision secret_fields spend_logs_metadata
            standard_logging_guardrail_information standard_logging_object usage_object
            """
        ),
        scope=_METADATA,
        protect=True,
        owner="litellm",
        evidence="litellm/proxy/common_utils/callback_utils.py: "
        f"LITELLM_PROXY_INTERNAL_METADATA_KEYS; {_LITELLM_PULLS}/34735",
    ),
    Rule(
        name="litellm-guardrails",
        keys=_names(
            """
            applied_guardrails applied_policies disable_global_guardrail disable_global_guardrails
            guardrail_scan_ids guardrail_scan_metadata opted_out_global_guardrails policy_sources
            """
        ),
        prefixes=("pillar_",),
        scope=(*_ROOT, *_METADATA),
        protect=True,
        owner="litellm",
        evidence=f"{_LITELLM_PULLS}/37238",
    ),
    Rule(
        name="litellm-metadata-private",  # _otel_internal has tuples for keys: json cannot write it
        keys=_names(
            """
            _baggage_mapped_tags _client_output_ceiling _consumed_request_tags
            _guardrail_pipelines _hidden_params _latency_per_deployment _model_armor_response
            _model_armor_status _openai_moderation_response _otel_internal
            _pillar_response_headers_trusted _pipeline_managed_guardrails
            _pre_call_executed_guardrails _routing_plugin_candidate_models _routing_request_tags
            _session_deployment_affinity_ttl _skill_files
            """
        ),
        scope=(*_ROOT, *_METADATA),
        protect=True,
        owner="litellm",
        evidence=f"{_LITELLM_ISSUES}/12083, {_LITELLM_ISSUES}/32250",
    ),
    Rule(
        name="litellm-interception",
        keys=_names(
            """
            _context_compaction_state _encrypted_content_affinity_pinned _headroom_request_context
            _router_weights _skip_mcp_handler _target_order attempted_targets fallback_depth
            max_agentic_loops mcp_handler_context skip_mcp_handler
            """
        ),
        prefixes=(
            "_agentic_loop_",
            "_code_interpreter_interception",
            "_compression_interception",
            "_headroom_interception",
            "_websearch_interception",
        ),
        scope=_ROOT,
        protect=True,
        owner="litellm",
        evidence="litellm/types/integrations/custom_logger.py: INTERCEPTION_INTERNAL_PREFIXES",
    ),
    Rule(
        name="litellm-call",
        keys=_names(
            """
            acompletion aembedding aimg_generation allm_passthrough_route
            allow_client_keepalive_override allowed_openai_params api_base
            assistant_continue_message async_call atext_completion client_side_timeout
            complete_response completion_call_id configurable_clientside_auth_params
            custom_llm_provider custom_prompt_dict disable_add_transform_inline_image_block
            enable_json_schema_validation enable_prompt_caching ensure_alternating_roles
            extra_body extra_headers final_prompt_value fireworks_forward_user_id force_timeout
            hf_model_name initial_prompt_value keepalive_seconds kubernetes_pod_discovery
            log_client_error_tracebacks logger_fn max_file_size_mb
            merge_reasoning_content_in_choices mock_response mock_timeout mock_tool_calls
            model_alias_map model_file_id_mapping no-log num_retries output_vector_size
            preset_cache_key provider_affinity_header provider_specific_header
            proxy_server_request request_timeout responses_api_version routing_decision
            search_tool_name secret_fields service_callback shared_session ssl_verify
            standard_logging_object stream_chunk_size stream_response stream_timeout
            stream_timeout_by_service_tier supports_system_message text_completion
            thought_signature_in_tool_call_id timeout_by_service_tier turn_off_message_logging
            use_chat_completions_api use_client use_in_pass_through use_litellm_proxy
            use_xai_oauth user_continue_message
            """
        ),
        scope=_ROOT,
        protect=True,
        owner="litellm",
        evidence=f"{_LITELLM_PULLS}/41342; {_LITELLM_PARAMS}",
    ),
    Rule(
        name="litellm-retries",
        keys=("max_retries",),
        scope=(*_ROOT, "/generationConfig", "/generation_config"),
        protect=True,
        owner="litellm",
        evidence=f"{_LITELLM_ISSUES}/5888",
    ),
    Rule(
        name="litellm-router",
        keys=_names(
            """
            allowed_model_region budget_duration caching_groups context_window_fallback_dict
            cooldown_time daily_reset_time default_api_key_rpm_limit default_api_key_tpm_limit
            enable_tag_filtering fastest_response max_budget max_fallbacks max_parallel_requests
            model_info model_list routing_strategy silent_model switchyard_router_config
            tag_regex
            """
        ),
        prefixes=(
            "adaptive_router_",
            "auto_router_",
            "complexity_router_",
            "quality_router_",
        ),
        scope=_ROOT,
        protect=True,
        owner="litellm",
        evidence=_LITELLM_PARAMS,
    ),
    Rule(
        name="litellm-prices",
        keys=_names(
            """
            citation_cost_per_token cost_per_query cost_per_second fedramp_uplift_multiplier
            google_maps_grounding_cost_per_query search_context_cost_per_query
            search_queries_cost_per_query tiered_pricing
            """
        ),
        # "_cost" is part of each: cache_read_input_tokens is how Anthropic counts usage.
        prefixes=(
            "annotation_cost_per_",
            "cache_creation_input_audio_token_cost",
            "cache_creation_input_token_cost",
            "cache_read_input_audio_token_cost",
            "cache_read_input_image_token_cost",
            "cache_read_input_token_cost",
            "explicit_cache_read_input_token_cost",
            "input_cost_per_",
            "ocr_cost_per_",
            "output_cost_per_",
            "regional_endpoint_uplift_multiplier",
            "regional_processing_uplift_multiplier",
        ),
        scope=_ROOT,
        protect=True,
        owner="litellm",
        evidence="litellm/types/utils.py: CustomPricingLiteLLMParams",
    ),
    Rule(
        name="litellm-callback-settings",  # most of them are the keys of telemetry accounts
        keys=_names(
            """
            dd_agent_host dd_agent_port dd_api_key dd_site gcs_bucket_name
            gcs_path_service_account humanloop_api_key langfuse_environment langfuse_host
            langfuse_prompt_version langfuse_public_key langfuse_secret langfuse_secret_key
            langfuse_span_scope langsmith_api_key langsmith_base_url langsmith_project
            langsmith_sampling_rate langsmith_tenant_id newrelic_api_key newrelic_region
            posthog_api_key posthog_api_url signoz_ingestion_endpoint signoz_ingestion_key
            wandb_api_key weave_project_id
            """
        ),
        prefixes=("arize_",),
        scope=_ROOT,
        protect=True,
        owner="litellm",
        evidence="litellm/types/utils.py: StandardCallbackDynamicParams",
    ),
)

#: Seen in the body of litellm's SageMaker chat, which is then signed. Apart from ``litellm``, since
#: what they are called is what others' APIs call them.
_CLOUD_CREDENTIALS: Final = (
    Rule(
        name="cloud-credentials",
        keys=_names(
            """
            anthropic_disable_workload_identity_federation anthropic_federation_rule_id
            anthropic_federation_workspace_id anthropic_identity_source anthropic_identity_token
            anthropic_identity_token_file anthropic_organization_id anthropic_service_account_id
            aws_access_key_id aws_batch_role_arn aws_bedrock_control_plane_endpoint
            aws_profile_name aws_region_name aws_role_name aws_secret_access_key
            aws_session_name aws_session_token aws_web_identity_token azure_ad_token_provider
            azure_password azure_scope azure_username bedrock_tags chatgpt_auth_file
            github_copilot_auth_type github_copilot_host github_copilot_user_session
            openai_identity_provider_id openai_identity_token_file openai_service_account_id
            s3_access_key_id s3_bucket_name s3_bucket_owner s3_encryption_key_id s3_endpoint_url
            s3_output_bucket_name s3_region_name s3_secret_access_key sagemaker_base_url
            token_exchange_audience token_exchange_endpoint token_exchange_profile
            token_exchange_scope
            """
        ),
        # Not "anthropic_": Bedrock and Vertex take anthropic_version and anthropic_beta.
        prefixes=("anthropic_issuer_", "anthropic_keycloak_"),
        scope=_ROOT,
        protect=True,
        owner="litellm",
        evidence=f"SageMaker chat of litellm 1.106.2, received bytes; {_LITELLM_PARAMS}",
    ),
)

#: ``reasoning_content`` and ``thinking_blocks`` are not here: some providers want them back.
_LITELLM_REPLAY: Final = (
    Rule(
        name="litellm-replay",
        keys=_names("provider_specific_fields reasoning_details"),
        scope=_MESSAGES,
        protect=True,
        owner="litellm",
        evidence=f"{_LITELLM_PULLS}/20334",
    ),
)

#: SpanContext is a tuple and Context a dict, so json would write them.
_OPENTELEMETRY: Final = (
    Rule(
        name="opentelemetry",
        types=(
            "opentelemetry.context.context.Context",
            "opentelemetry.trace.Tracer",
            "opentelemetry.trace.span.Span",
            "opentelemetry.trace.span.SpanContext",
        ),
        scope=_ANYWHERE,
        protect=True,
        owner="opentelemetry-api",
        evidence=f"{_LITELLM_ISSUES}/12354",
    ),
    Rule(
        name="opentelemetry-keys",
        keys=_names("litellm_parent_otel_span otel_span parent_otel_span"),
        scope=_ANYWHERE,
        protect=True,
        owner="opentelemetry-api",
        evidence=f"{_LITELLM_PULLS}/15728",
    ),
)

#: Not in ``_meta``: there, ddtrace puts ``_dd_trace_context`` for the MCP server to read.
_DATADOG: Final = (
    Rule(
        name="datadog",
        prefixes=("__datadog", "_datadog", "_dd_"),
        scope=(*_ROOT, *_METADATA_BELOW),
        protect=True,
        owner="ddtrace",
        evidence="ddtrace 4.16.0: contrib/internal/botocore/services",
    ),
    Rule(
        name="datadog-objects",
        types=("ddtrace._trace.context.Context", "ddtrace._trace.span.Span"),
        scope=_ANYWHERE,
        protect=True,
        owner="ddtrace",
        evidence="https://github.com/DataDog/dd-trace-py/pull/19758",
    ),
)

_LANGFUSE: Final = (
    Rule(
        name="langfuse",
        prefixes=("_langfuse_", "langfuse_"),
        scope=(*_ROOT, *_METADATA_BELOW),
        protect=True,
        owner="langfuse",
        evidence=f"langfuse 5.0.4: langfuse/openai.py:324; {_LITELLM_ISSUES}/4140",
    ),
)

#: Apart from the preset ``langfuse``: these names are an application's as often as not.
_LANGFUSE_TRACE: Final = (
    Rule(
        name="langfuse-trace",
        keys=_names(
            """
            debug_langfuse existing_trace_id generation_id generation_name mask_input mask_output
            parent_observation_id trace_id trace_metadata trace_name trace_release trace_user_id
            trace_version update_trace_keys
            """
        ),
        scope=_METADATA,
        protect=True,
        owner="litellm",
        evidence=f"{_LITELLM_ISSUES}/1828",
    ),
)

_LANGCHAIN: Final = (
    Rule(
        name="langsmith",
        keys=_names("langsmith-trace langsmith_extra"),
        prefixes=("__pregel_",),
        scope=(*_ROOT, *_METADATA_BELOW),
        protect=True,
        owner="langsmith",
        evidence="langsmith 0.15: run_helpers.py; langgraph: _internal/_constants.py",
    ),
    Rule(
        name="langchain-metadata",
        prefixes=("langgraph_", "lc_", "ls_"),
        scope=_METADATA_BELOW,
        protect=True,
        owner="langchain-core",
        evidence="https://github.com/langchain-ai/langgraph/issues/4799",
    ),
    Rule(
        name="langchain-objects",
        types=(
            "langchain_core.callbacks.base.BaseCallbackManager",
            "langchain_core.callbacks.manager.BaseRunManager",
            "langgraph.prebuilt.tool_node.ToolRuntime",
        ),
        scope=_ANYWHERE,
        protect=True,
        owner="langchain-core",
        evidence=f"{_LANGCHAIN_ISSUES}/24621, {_LANGCHAIN_ISSUES}/30441",
    ),
)


def _prefixed(owner: str, *prefixes: str) -> tuple[Rule, ...]:
    """Return the preset of a library of which no more than its names is known."""
    return (
        Rule(
            name=owner.removesuffix("-sdk"),
            prefixes=prefixes,
            scope=(*_ROOT, *_METADATA),
            protect=True,
            owner=owner,
            evidence=f"names in the source of {owner}; no report of a leak",
        ),
    )


#: In the outermost object and metadata only: in MCP's ``_meta``, in ``tools[].headers`` and in the
#: payload of a job they are addressed to somebody. ``baggage`` is not here: it is a word.
_TRACE_HEADERS: Final = (
    Rule(
        name="trace-headers",
        keys=_names("b3 sentry-trace sentry_trace traceparent tracestate"),
        prefixes=("X-B3-", "x-b3-", "x-datadog-"),
        scope=(*_ROOT, *_METADATA),
        protect=True,
        owner="opentelemetry-api",
        evidence="litellm.acompletion(traceparent=...) of 1.106.2 to OpenAI, received bytes",
    ),
)

_APP_UI: Final = (
    Rule(
        name="app-ui",
        keys=_names(
            """
            _db_id chat_id features message_id tool_outputs_trimmed trimmed_by variables
            """
        ),
        scope=(*_MESSAGES, *_METADATA),
        protect=True,
        owner="open-webui",
        evidence=f"{_LITELLM_ISSUES}/30882",
    ),
)

_GENERIC_PRIVATE: Final = (
    Rule(
        name="generic-private",
        prefixes=("_",),
        scope=(*_ROOT, *_METADATA_BELOW, *_MESSAGES),
        exceptions=("**/_meta",),
        protect=True,
        owner="",  # nobody's in particular: a finding names the package of the type, if it has one
        evidence="https://github.com/Shelpuk/kitty-bridge/pull/47",
    ),
)

#: In order of precedence: the broad ones come last, so that a finding names whom it can.
PRESETS: Final[dict[PresetName, tuple[Rule, ...]]] = {
    "sentry": SENTRY,
    "litellm": _LITELLM,
    "litellm-replay": _LITELLM_REPLAY,
    "cloud-credentials": _CLOUD_CREDENTIALS,
    "opentelemetry": _OPENTELEMETRY,
    "datadog": _DATADOG,
    "langfuse": _LANGFUSE,
    "langfuse-trace": _LANGFUSE_TRACE,
    "langchain": _LANGCHAIN,
    "helicone": _prefixed("helicone", "Helicone-", "helicone-"),
    "mlflow": _prefixed("mlflow", "_mlflow_", "mlflow_"),
    "opik": _prefixed("opik", "_opik_", "opik_"),
    "posthog": _prefixed("posthog", "posthog_"),
    "traceloop": _prefixed("traceloop-sdk", "traceloop_"),
    "trace-headers": _TRACE_HEADERS,
    "app-ui": _APP_UI,
    "generic-private": _GENERIC_PRIVATE,
}
