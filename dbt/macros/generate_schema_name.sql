{#- A model's schema is the schema it asks for, with no prefix: schema and table are the asset key. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
