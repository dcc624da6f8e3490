"""Protected zones: places of applications' own names, where rules with `protect` remove nothing.

Stripping names everywhere has broken tools: a property named ``pattern`` went out of a schema
(diegosouzapw/OmniRoute#4339), ``thinking`` out of message blocks (BerriAI/litellm#37479).
"""

from __future__ import annotations

from typing import Final

from body_guard.core.matcher import Zone

__all__ = ["ZONES"]

#: Where JSON Schemas stand in requests.
_SCHEMAS: Final = (
    Zone("**/tools", "tools of OpenAI, Anthropic, Gemini, Bedrock; hosted MCP tools"),
    Zone("**/functions", "OpenAI's functions, before tools: completion_create_params.Function"),
    Zone("**/response_format", "OpenAI: shared_params.ResponseFormatJSONSchema"),
    Zone("**/text/format", "OpenAI Responses: ResponseFormatTextJSONSchemaConfigParam"),
    Zone("**/output_format", "Anthropic: JSONOutputFormatParam"),
    Zone("**/output_config", "Anthropic: OutputConfigParam, whose format is JSONOutputFormatParam"),
    Zone("**/generationConfig", "Gemini: GenerationConfig.responseSchema, responseJsonSchema"),
    Zone("**/generation_config", "Gemini, as its Python client spells it"),
    Zone("**/functionDeclarations", "Gemini: FunctionDeclaration.parameters"),
    Zone("**/function_declarations", "Gemini, as its Python client spells it"),
    Zone("**/inputSchema", "MCP and Bedrock: ToolSpecification.inputSchema"),
    Zone("**/input_schema", "Anthropic: ToolParam.input_schema"),
    Zone("**/guided_json", "vLLM: guided decoding by a schema"),
)

#: The schema keywords below which names are an application's (JSON Schema 2020-12 and draft-07).
_NAMES: Final = (
    *("properties", "patternProperties", "$defs", "definitions"),
    *("dependentSchemas", "dependentRequired", "dependencies"),
)

#: The schema keywords whose values are data; input_examples is Anthropic's.
_DATA: Final = ("default", "const", "enum", "examples", "example", "input_examples")

ZONES: Final = (
    *(
        Zone(f"{schema.glob}/**/{keyword}{below}", f"JSON Schema {keyword}; {schema.why}")
        for schema in _SCHEMAS
        for keywords, below in ((_NAMES, ""), (_DATA, "/**"))
        for keyword in keywords
    ),
    Zone(
        "**/tool_calls/*/function/arguments/**",
        "OpenAI: ChatCompletionMessageFunctionToolCallParam, text by the API, an object at Ollama",
    ),
    Zone("**/tool_calls/*/args/**", "LangChain's tool calls"),
    Zone("**/tool_calls/*/parameters/**", "Cohere v1: ToolCall.parameters"),
    Zone("**/tool_results/*/call/parameters/**", "Cohere v1: ToolResult.call"),
    Zone("**/tool_results/*/outputs/**", "Cohere v1: ToolResult.outputs"),
    Zone("**/function_call/arguments/**", "OpenAI, before tool_calls"),
    Zone("**/input/*/arguments/**", "OpenAI Responses: tool_search_call, function_call, mcp_call"),
    Zone("**/input/*/input/**", "OpenAI Responses: custom_tool_call"),
    Zone("**/input/*/output/**", "OpenAI Responses: function_call_output"),
    Zone("**/input/*/action/env/**", "OpenAI Responses: LocalShellCallAction.env"),
    Zone("**/prompt/variables", "OpenAI Responses: ResponsePromptParam.variables"),
    Zone("**/content/*/input/**", "Anthropic: ToolUseBlockParam, ServerToolUseBlockParam"),
    Zone("**/toolUse/input/**", "Bedrock Converse: ToolUseBlock.input"),
    Zone("**/toolResult/content/*/json/**", "Bedrock Converse: ToolResultContentBlock.json"),
    Zone("**/functionCall/args/**", "Gemini: FunctionCall.args"),
    Zone("**/function_call/args/**", "Gemini, as its Python client spells it"),
    Zone("**/functionResponse/response/**", "Gemini: FunctionResponse.response"),
    Zone("**/function_response/response/**", "Gemini, as its Python client spells it"),
    Zone("**/params/arguments/**", "MCP: CallToolRequestParams.arguments"),
    # What models read: a rule may look into it, and not take it.
    Zone("**/messages/*/content", "message text", itself=True),
    Zone("**/input/*/content", "message text, OpenAI Responses", itself=True),
    Zone("**/contents/*/parts", "message text, Gemini", itself=True),
    Zone("**/chat_history/*/message", "message text, Cohere v1", itself=True),
    Zone("**/content/*/text", "a text block", itself=True),
    Zone("**/content/*/content", "a block's content, Anthropic's tool_result", itself=True),
    Zone("**/parts/*/text", "a text part, Gemini", itself=True),
    Zone(
        "**/system/*/text", "a text block of the system prompt, Anthropic and Bedrock", itself=True
    ),
    Zone("**/input/*/output", "a tool's result, OpenAI Responses", itself=True),
    *(
        Zone(f"/{name}", "the prompt itself", itself=True)
        for name in ("input", "instructions", "messages", "prompt", "system", "contents")
    ),
)
