"""What the local endpoint still lacks after `sam deploy`; a real account needs none of it.

1. SES: the sender's identity, which a person verifies by a mailed link.
2. API Gateway: MiniStack's import of an OpenAPI body leaves out its gateway responses and what
   its mock integrations answer (the CORS preflight). Both are put in from the deployed template.

Arguments: stack name, sender's address. The endpoint and credentials come from the environment.
"""

import json
import sys

import boto3


def resolved(value, parameters):
    """The value with `Fn::Sub` of parameters carried out."""
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        text = value["Fn::Sub"]
        for name, given in parameters.items():
            text = text.replace("${" + name + "}", given)
        return text
    if isinstance(value, dict):
        return {key: resolved(inner, parameters) for key, inner in value.items()}
    return value


def complete_gateway(stack):
    formation, gateway = boto3.client("cloudformation"), boto3.client("apigateway")
    description = formation.describe_stacks(StackName=stack)["Stacks"][0]
    parameters = {p["ParameterKey"]: p["ParameterValue"] for p in description["Parameters"]}
    api = next(o["OutputValue"] for o in description["Outputs"] if o["OutputKey"] == "ApiId")
    template = formation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    if isinstance(template, str):
        template = json.loads(template)
    body = resolved(template["Resources"]["Api"]["Properties"]["Body"], parameters)

    for kind, response in body["x-amazon-apigateway-gateway-responses"].items():
        gateway.put_gateway_response(
            restApiId=api,
            responseType=kind,
            statusCode=str(response["statusCode"]),
            responseParameters=response["responseParameters"],
            responseTemplates=response["responseTemplates"],
        )

    pages = gateway.get_paginator("get_resources").paginate(restApiId=api)
    resources = {item["path"]: item["id"] for page in pages for item in page["items"]}
    for path, operations in body["paths"].items():
        integration = operations["options"]["x-amazon-apigateway-integration"]
        answer = integration["responses"]["default"]
        where = {"restApiId": api, "resourceId": resources[path], "httpMethod": "OPTIONS"}
        gateway.put_integration(
            **where, type="MOCK", requestTemplates=integration["requestTemplates"]
        )
        headers = answer["responseParameters"]
        gateway.put_method_response(
            **where, statusCode="200", responseParameters={name: False for name in headers}
        )
        gateway.put_integration_response(
            **where,
            statusCode="200",
            responseParameters=headers,
            responseTemplates=answer["responseTemplates"],
        )
    gateway.create_deployment(restApiId=api, stageName="v1")


def complete_roles(stack):
    formation, iam = boto3.client("cloudformation"), boto3.client("iam")
    pages = formation.get_paginator("list_stack_resources").paginate(StackName=stack)
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    for resource in resources:
        if resource["ResourceType"] != "AWS::IAM::Role":
            continue
        role = resource["PhysicalResourceId"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for statement in policy["Statement"]:
                actions = statement["Action"]
                if "sqs:SendMessage" in actions and "sqs:SendMessageBatch" not in actions:
                    actions.append("sqs:SendMessageBatch")
            iam.put_role_policy(
                RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy)
            )


if __name__ == "__main__":
    _, stack_name, sender = sys.argv
    boto3.client("ses").verify_email_identity(EmailAddress=sender)
    complete_gateway(stack_name)
    complete_roles(stack_name)
