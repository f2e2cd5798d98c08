{#- Text without surrounding blanks; NULL where nothing is left, so that "unknown" has one form. -#}
{% macro text_or_null(column) -%}
    nullif(trim({{ column }}, e' \t\r\n'), '')
{%- endmacro %}

{#- A flag that its source writes as 1, and otherwise as 0 or not at all. -#}
{% macro flag(column) -%}
    coalesce({{ column }} = 1, false)
{%- endmacro %}

{#- A sum of amounts that is the same in any order of the rows, which a sum of doubles is not: what
    each has beyond whole units adds up exactly in 10^-18 units, and so do the whole units, up to
    2^53 of them. (Sums of decimals would too, and take four times as long.) -#}
{% macro exact_sum(amount) -%}
    sum(trunc({{ amount }})) + sum((({{ amount }} - trunc({{ amount }})) * 1e18)::bigint) / 1e18
{%- endmacro %}
